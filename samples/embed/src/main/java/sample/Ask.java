package sample;

import dev.flagship.embedded.Flagship;
import dev.flagship.serving.api.Chat;
import dev.flagship.serving.api.Sampling;
import java.util.List;

class Ask {
    public static void main(String[] words) throws Exception {
        try (var model = Flagship.load("smollm2")) { // fetched once, as flagship run does
            var chat = new Chat(model, List.of(), r -> r.withSampling(Sampling.greedy()));
            System.out.println(chat.say("Name a fish.")); // the answer, whole
            for (String message : List.of("Name another.", "Where do they live?")) {
                chat.say(message, System.out::print); // piece by piece, with all before it in view
                System.out.println();
            }
        }
    }
}
