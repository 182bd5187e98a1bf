package dev.flagship.server;

import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;

/** Token ids as they come in JSON. */
final class TokenIds {
    private TokenIds() {}

    /**
     * Reads an array of them.
     *
     * @param path for messages
     * @param vocabulary one more than the largest
     * @throws ApiException 400 that names the place of one that is none
     */
    static List<Integer> of(ArrayNode array, String path, int vocabulary) {
        List<Integer> ids = new ArrayList<>(array.size());
        for (JsonNode node : array) {
            if (!node.isIntegralNumber()
                    || !node.canConvertToInt()
                    || node.intValue() < 0
                    || node.intValue() >= vocabulary) {
                throw ApiException.invalid(
                        path,
                        "%s[%d] is no token id; this model's are 0 to %d."
                                .formatted(path, ids.size(), vocabulary - 1));
            }
            ids.add(node.intValue());
        }
        return ids;
    }
}
