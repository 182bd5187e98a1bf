package dev.flagship.launch;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;

/** Names in URLs (RFC 3986, section 2). */
final class Percent {
    private static final String UNRESERVED = "-._~";

    private Percent() {}

    /** A path whose slashes stay. */
    static String path(String path) {
        return encode(path, "/");
    }

    /** One segment: slashes, too, are written as %2F. */
    static String segments(String text) {
        return encode(text, "");
    }

    /** What a path of a pasted URL means; nothing else is changed, plus signs least of all. */
    static String decode(String text) {
        try {
            return URLDecoder.decode(text.replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            return text; // a percent sign that is one
        }
    }

    private static String encode(String text, String kept) {
        StringBuilder encoded = new StringBuilder(text.length());
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            char c = (char) (b & 0xff);
            if (c < 0x80
                    && (Character.isLetterOrDigit(c)
                            || UNRESERVED.indexOf(c) >= 0
                            || kept.indexOf(c) >= 0)) {
                encoded.append(c);
            } else {
                encoded.append("%%%02X".formatted((int) c));
            }
        }
        return encoded.toString();
    }
}
