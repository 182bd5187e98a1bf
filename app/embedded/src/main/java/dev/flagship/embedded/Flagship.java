package dev.flagship.embedded;

import dev.flagship.serving.api.ChatModel;
import java.io.IOException;
import java.nio.file.Path;

/**
 * Loads models.
 *
 * {@snippet lang=java :
 * try (ChatModel model = Flagship.load("smollm2")) {
 *     System.out.println(model.answer("Name a fish."));
 * }
 * }
 */
public final class Flagship {
    private Flagship() {}

    /**
     * Loads a model, as {@code flagship run} does, fetching it first where it is not in the store.
     *
     * @param model a name as of {@code flagship list}, a model's file or its folder
     * @return close it to free its memory
     * @throws dev.flagship.base.FlagshipException with a message for people, if there is no such
     *     model, it cannot be fetched, or cannot be used
     * @throws IOException if a file cannot be read
     */
    public static ChatModel load(String model) throws IOException {
        return model(model).load();
    }

    /**
     * Loads a model's file or its folder.
     *
     * @return close it to free its memory
     * @throws dev.flagship.base.FlagshipException with a message for people, if there is no such
     *     file or it cannot be used
     * @throws IOException if a file cannot be read
     */
    public static ChatModel load(Path model) throws IOException {
        return model(model).load();
    }

    /** A model by its name, file or folder, to be loaded by settings of one's own. */
    public static ModelLoader model(String model) {
        return ModelLoader.of(model);
    }

    /** A model by its file or folder, to be loaded by settings of one's own. */
    public static ModelLoader model(Path model) {
        return ModelLoader.of(model.toAbsolutePath().toString()); // a bare "smollm2" is a name
    }
}
