package dev.flagship.cli;

import dev.flagship.serving.api.Message;
import java.util.ArrayList;
import java.util.List;

/** A message and its answer. */
record Exchange(String asked, String answer) {

    /** A conversation as models take it. */
    static List<Message> messages(List<Message> opening, List<Exchange> exchanges) {
        var messages = new ArrayList<>(opening);
        for (Exchange exchange : exchanges) {
            messages.add(Message.user(exchange.asked));
            messages.add(Message.assistant(exchange.answer));
        }
        return messages;
    }
}
