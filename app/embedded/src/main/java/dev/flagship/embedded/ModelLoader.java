package dev.flagship.embedded;

import dev.flagship.launch.ModelStore;
import dev.flagship.launch.Progress;
import dev.flagship.serving.LoadListener;
import dev.flagship.serving.LoadOptions;
import dev.flagship.serving.TextModel;
import dev.flagship.serving.api.ChatModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.function.UnaryOperator;

/**
 * How a model is to be loaded; each setting gives a new loader.
 *
 * {@snippet lang=java :
 * ChatModel model = Flagship.model("smollm2")
 *         .home(Path.of("/srv/models"))
 *         .options(o -> o.withContext(4096).withThreads(4))
 *         .load();
 * }
 *
 * @see Flagship#model(String)
 */
public final class ModelLoader {
    private final String model;
    private final Path home;
    private final UnaryOperator<LoadOptions> options;
    private final LoadListener listener;

    private ModelLoader(
            String model, Path home, UnaryOperator<LoadOptions> options, LoadListener listener) {
        this.model = model;
        this.home = home;
        this.options = options;
        this.listener = listener;
    }

    static ModelLoader of(String model) {
        return new ModelLoader(
                model,
                ModelStore.defaultHome(System.getenv()),
                UnaryOperator.identity(),
                new LoggingListener(System.getLogger("dev.flagship")));
    }

    /**
     * Where models are kept, with packed copies of their weights. Left out, it is where {@code
     * flagship} keeps them: FLAGSHIP_HOME, else XDG_DATA_HOME/flagship, else ~/.flagship.
     */
    public ModelLoader home(Path folder) {
        return new ModelLoader(model, folder, options, listener);
    }

    /**
     * Changes the options: at first those of {@code flagship run} without flags, then what earlier
     * changes made of them.
     */
    public ModelLoader options(UnaryOperator<LoadOptions> change) {
        return new ModelLoader(model, home, o -> change.apply(options.apply(o)), listener);
    }

    /**
     * Hears of fetching and loading, on the thread that loads. Left out, warnings go to {@link
     * System.Logger} {@code dev.flagship}, and the rest nowhere.
     */
    public ModelLoader listener(LoadListener ears) {
        return new ModelLoader(model, home, options, ears);
    }

    /**
     * Loads it, fetching it first where it is not in the store. An interrupt ends a fetch.
     *
     * @return close it to free its memory
     * @throws dev.flagship.base.FlagshipException with a message for people, if there is no such
     *     model, it cannot be fetched, or cannot be used
     * @throws IOException if a file cannot be read
     */
    public ChatModel load() throws IOException {
        var store = ModelStore.open(home, System.getenv());
        Path path = store.resolve(model, fetching());
        var usual =
                LoadOptions.of(store.servedName(model))
                        .withPackedFolder(store.home().resolve("packed"));
        return TextModel.open(path, options.apply(usual), listener);
    }

    /** Tells of a fetch as of any other stage of loading. */
    private Progress fetching() {
        return new Progress() {
            private String stage = "";

            @Override
            public void stage(String text) {
                stage = text;
                listener.progress(stage, 0, 0);
            }

            @Override
            public void bytes(long done, long total) {
                listener.progress(stage, done, total);
            }
        };
    }
}
