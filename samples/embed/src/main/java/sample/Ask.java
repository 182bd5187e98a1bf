package sample;

import dev.flagship.embedded.Flagship;
import dev.flagship.serving.api.Chat;

class Ask {
    public static void main(String[] words) throws Exception {
        try (var model = Flagship.load("smollm2")) { // fetched once, as flagship run does
            System.out.println(model.answer("What is the capital of France?")); // one answer, whole

            var chat = new Chat(model); // a conversation, streamed
            chat.say("Name a river.", System.out::print);
            chat.say("In which country is it?", System.out::print);
        }
    }
}
