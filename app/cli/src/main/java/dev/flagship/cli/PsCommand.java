package dev.flagship.cli;

import dev.flagship.base.Bytes;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** {@code flagship ps}: which models are in memory, and where they answer. */
@Command(
        name = "ps",
        description = "Show which models are loaded just now, by which process.",
        footer = {
            "",
            "It sees the processes that share this store (FLAGSHIP_HOME).",
            "",
            "Examples:",
            "  flagship ps",
            "  flagship ps --json"
        },
        sortOptions = false)
final class PsCommand implements Callable<Integer> {
    private static final int PATIENCE_MILLIS = 1_000;
    private static final Pattern RESIDENT = Pattern.compile("(?m)^VmRSS:\\s+(\\d+) kB");
    private static final Pattern STATUS = Pattern.compile("\"status\"\\s*:\\s*\"([a-z]{1,20})\"");

    private final Context context;

    @Option(names = "--json", description = "A JSON list, memory in bytes.")
    private boolean json;

    PsCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() throws IOException {
        List<RunningProcess.Seen> all = RunningProcess.all(StoreOf.home(context));
        PrintStream out = context.streams().out();
        if (json) {
            Json.print(out, json(all));
        } else if (all.isEmpty()) {
            out.println("Nothing runs. flagship serve or flagship run loads a model.");
        } else {
            Table table = new Table("PID", "COMMAND", "MODELS", "STATE", "MEMORY", "UP", "ADDRESS");
            for (RunningProcess.Seen seen : all) {
                long memory = memory(seen.pid());
                table.add(
                        Long.toString(seen.pid()),
                        seen.command(),
                        String.join(", ", seen.models()),
                        state(seen),
                        memory == 0 ? "-" : Bytes.human(memory),
                        up(Duration.between(seen.since(), Instant.now())),
                        seen.port() == 0 ? "-" : address(seen));
            }
            table.print(out);
        }
        out.flush();
        return 0;
    }

    private static ArrayNode json(List<RunningProcess.Seen> all) {
        ArrayNode list = Json.array();
        for (RunningProcess.Seen seen : all) {
            ObjectNode entry = list.addObject();
            entry.put("pid", seen.pid())
                    .put("command", seen.command())
                    .put("state", state(seen))
                    .put("memory_bytes", memory(seen.pid()))
                    .put("since", seen.since().toString());
            if (seen.port() != 0) {
                entry.put("address", address(seen));
            }
            ArrayNode models = entry.putArray("models");
            seen.models().forEach(models::add);
        }
        return list;
    }

    private static String address(RunningProcess.Seen seen) {
        return "http://127.0.0.1:" + seen.port();
    }

    /** What its health page says; a chat in a terminal has none. */
    private static String state(RunningProcess.Seen seen) {
        if (seen.port() == 0) {
            return "in use";
        }
        try {
            var connection =
                    (HttpURLConnection)
                            URI.create(address(seen) + "/health").toURL().openConnection();
            connection.setConnectTimeout(PATIENCE_MILLIS);
            connection.setReadTimeout(PATIENCE_MILLIS);
            int code = connection.getResponseCode();
            InputStream body =
                    code < 400 ? connection.getInputStream() : connection.getErrorStream();
            try (body) {
                Matcher status =
                        STATUS.matcher(
                                body == null
                                        ? ""
                                        : new String(
                                                body.readNBytes(4_096), StandardCharsets.UTF_8));
                return status.find() ? status.group(1) : "status " + code;
            }
        } catch (IOException e) {
            return "no answer";
        }
    }

    /** What it holds in memory; 0 where the system does not tell. */
    private static long memory(long pid) {
        try {
            Matcher resident =
                    RESIDENT.matcher(
                            Files.readString(Path.of("/proc", Long.toString(pid), "status")));
            return resident.find() ? Long.parseLong(resident.group(1)) * 1024 : 0;
        } catch (IOException e) {
            return 0;
        }
    }

    static String up(Duration time) {
        long seconds = Math.max(0, time.toSeconds());
        if (seconds < 60) {
            return seconds + " s";
        }
        if (seconds < 3_600) {
            return seconds / 60 + " min";
        }
        return seconds < 48 * 3_600 ? seconds / 3_600 + " h" : seconds / 86_400 + " d";
    }
}
