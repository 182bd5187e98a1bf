package sample;

import dev.flagship.embedded.Flagship;
import dev.flagship.serving.api.Chat;
import java.util.List;

class Ask {
    public static void main(String[] words) throws Exception {
        try (var model = Flagship.load("smollm2")) { // fetched once, as flagship run does
            System.out.println(model.answer("What is the capital of France?")); // one answer, whole
            var chat = new Chat(model, List.of(), request -> request.withMaxTokens(60));
            for (String message : List.of("Name a river.", "Where does it begin?")) {
                chat.say(message, System.out::print); // a conversation, piece by piece
                System.out.println();
            }
        }
    }
}
