package dev.flagship.cli;

import dev.flagship.tokenizers.ChatTemplate;
import dev.flagship.tokenizers.TemplateException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** A chat template in a file of its own, as {@code --chat-template} names it. */
final class TemplateFile {
    /** As many bytes as the longest template's characters can take. */
    private static final int MOST_BYTES = 1 << 20;

    private TemplateFile() {}

    /**
     * Reads a template; a pipe as well as a file, so that {@code <(…)} works.
     *
     * @throws CliException that names file, line and remedy, if it cannot be used
     */
    static ChatTemplate read(Path file) {
        if (!Files.exists(file)) {
            throw failed(
                    file, "there is no such file; it takes a file, not the template itself", null);
        }
        if (Files.isDirectory(file)) {
            throw failed(file, "this is a folder; name the file in it", null);
        }
        try (InputStream in = Files.newInputStream(file)) {
            byte[] bytes = in.readNBytes(MOST_BYTES + 1);
            if (bytes.length > MOST_BYTES) {
                throw failed(file, "it is larger than 1 MiB, which no chat template is", null);
            }
            return ChatTemplate.parse(
                    StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString());
        } catch (CharacterCodingException e) {
            throw failed(file, "it is not UTF-8; save it so", e);
        } catch (TemplateException e) {
            throw failed(file, e.getMessage(), e);
        } catch (IOException e) {
            throw failed(file, "it cannot be read: " + e.getMessage(), e);
        }
    }

    private static CliException failed(Path file, String problem, @Nullable Throwable cause) {
        return new CliException(
                "bad_chat_template", "--chat-template %s: %s".formatted(file, problem), cause);
    }
}
