import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import org.jline.builtins.ScreenTerminal;

/**
 * A newcomer's first minutes with {@code ./flagship}, in a pseudo-terminal with an empty home: help, catalogue, pull, list,
 * show, a chat (several lines, Ctrl-C, retry), tokens, a measurement, removal. Each step waits for what it must show, and the
 * journey fails where that does not come.
 *
 * <pre>
 * java -cp "LIB/*" tools/journey/Journey.java FOLDER [--quick]
 * </pre>
 *
 * <p>Leaves in the folder {@code journey.cast}, a recording in asciinema's format (asciicast v2), and {@code journey.svg}, some
 * of its screens one after the other. {@code --quick} leaves the measurement out. Needs {@code script} of util-linux, which gives
 * the pseudo-terminal.
 */
final class Journey {
    private static final int COLUMNS = 100;
    private static final int ROWS = 30;
    private static final int TRIES = 24;
    private static final Duration PATIENCE = Duration.ofMinutes(3);
    private static final Pattern ESCAPES =
            Pattern.compile("\u001b\\[[0-?]*[ -/]*[@-~]|\u001b\\][^\u0007]*\u0007|\u001b[()][A-Z0-9]|\u001b[=>78]|[\r\u000f]");

    private final ScreenTerminal screen = new ScreenTerminal(COLUMNS, ROWS);
    private final StringBuilder heard = new StringBuilder();
    private final StringBuilder cast = new StringBuilder();
    private final List<String> pictures = new ArrayList<>();
    private final Process process;
    private final OutputStream keys;
    private final long began = System.nanoTime();
    private int mark;

    private Journey(Path home) throws IOException {
        var builder =
                new ProcessBuilder(
                        "script",
                        "-qfec",
                        "stty cols %d rows %d; exec sh".formatted(COLUMNS, ROWS),
                        "/dev/null");
        Map<String, String> environment = builder.environment();
        environment.keySet().removeIf(name -> name.startsWith("FLAGSHIP_") || name.equals("NO_COLOR"));
        environment.put("FLAGSHIP_HOME", home.toString());
        environment.put("PS1", "$ ");
        environment.put("ENV", "");
        environment.put("TERM", "xterm-256color");
        process = builder.redirectErrorStream(true).start();
        keys = process.getOutputStream();
        cast.append(
                "{\"version\": 2, \"width\": %d, \"height\": %d, \"title\": \"The first minutes with Flagship\"}\n"
                        .formatted(COLUMNS, ROWS));
        Thread.ofVirtual().start(this::listen);
    }

    private void listen() {
        try (Reader in = new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8)) {
            char[] buffer = new char[4096];
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                hear(new String(buffer, 0, n));
            }
        } catch (IOException e) {
            hear("\n" + e + "\n");
        }
    }

    private synchronized void hear(String text) {
        screen.write(text);
        heard.append(ESCAPES.matcher(text).replaceAll(""));
        cast.append(
                String.format(
                        Locale.ROOT,
                        "[%.3f, \"o\", \"%s\"]%n",
                        (System.nanoTime() - began) / 1e9,
                        json(text)));
        notifyAll();
    }

    private static String json(String text) {
        StringBuilder quoted = new StringBuilder();
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                quoted.append('\\').append(c);
            } else if (c < ' ' || c == 0x7f) {
                quoted.append("\\u%04x".formatted((int) c));
            } else {
                quoted.append(c);
            }
        }
        return quoted.toString();
    }

    /** As fast as people do, and only what is asked for next counts as its answer. */
    private void type(String text) throws IOException, InterruptedException {
        synchronized (this) {
            mark = heard.length();
        }
        for (int c : text.codePoints().toArray()) {
            keys.write(Character.toString(c).getBytes(StandardCharsets.UTF_8));
            keys.flush();
            Thread.sleep(c == '\n' ? 250 : 25);
        }
    }

    /** Waits for a text that matches, behind all that was expected before. */
    private synchronized void expect(String pattern) throws InterruptedException {
        Pattern wanted = Pattern.compile(pattern, Pattern.MULTILINE);
        long until = System.nanoTime() + PATIENCE.toNanos();
        while (true) {
            var found = wanted.matcher(heard);
            if (found.find(mark)) {
                mark = found.end();
                return;
            }
            long left = (until - System.nanoTime()) / 1_000_000;
            if (left <= 0 || !process.isAlive()) {
                throw new IllegalStateException(
                        "expected /%s/, got:%n%s".formatted(pattern, heard.substring(mark)));
            }
            wait(Math.min(left, 500));
        }
    }

    /** Waits until a prompt is the last thing shown, and stays so: what is typed then is read by who shows it. */
    private synchronized void settled(String prompt) throws InterruptedException {
        long until = System.nanoTime() + PATIENCE.toNanos();
        while (System.nanoTime() < until && process.isAlive()) {
            int length = heard.length();
            if (length > mark && heard.toString().endsWith("\n" + prompt)) {
                wait(600);
                if (heard.length() == length) {
                    mark = length;
                    return;
                }
            } else {
                wait(200);
            }
        }
        throw new IllegalStateException(
                "expected \"%s\" to be the last, got:%n%s".formatted(prompt, heard.substring(mark)));
    }

    /** Presses Ctrl-C; whether that stopped an answer. */
    private boolean stop() throws IOException, InterruptedException {
        int before;
        synchronized (this) {
            before = heard.length();
        }
        type("\u0003");
        settled("> ");
        synchronized (this) {
            return heard.indexOf("(stopped", before) >= 0;
        }
    }

    /** What must not have been shown since the last thing typed. */
    private synchronized void never(String text) {
        if (heard.indexOf(text) >= 0) {
            throw new IllegalStateException("it showed \"%s\":%n%s".formatted(text, heard));
        }
    }

    private void picture() throws InterruptedException {
        Thread.sleep(400); // what is on its way
        synchronized (this) {
            pictures.add(svg());
        }
    }

    /** The screen's cells; JLine keeps a character and, in the upper half, its looks. */
    private String svg() {
        long[] cells = new long[COLUMNS * ROWS];
        screen.dump(cells, 0, 0, ROWS, COLUMNS, new int[2]);
        StringBuilder svg = new StringBuilder();
        for (int y = 0; y < ROWS; y++) {
            StringBuilder line = new StringBuilder();
            for (int x = 0; x < COLUMNS; ) {
                int from = x;
                long looks = cells[y * COLUMNS + x] >>> 32;
                StringBuilder run = new StringBuilder();
                for (; x < COLUMNS && cells[y * COLUMNS + x] >>> 32 == looks; x++) {
                    int c = (int) cells[y * COLUMNS + x];
                    run.appendCodePoint(c < ' ' ? ' ' : c);
                }
                if (!run.toString().isBlank()) {
                    line.append(span(run.toString(), from, looks));
                }
            }
            if (!line.isEmpty()) {
                svg.append("<text y=\"%d\">%s</text>\n".formatted(24 + y * 18, line));
            }
        }
        return svg.toString();
    }

    private static String span(String run, int column, long looks) {
        int lead = 0;
        while (run.charAt(lead) == ' ') {
            lead++;
        }
        String text = run.strip().replace("&", "&amp;").replace("<", "&lt;");
        String style = (looks & 0x0800_0000L) != 0 ? " font-weight=\"bold\"" : "";
        if ((looks & 0x0100_0000L) != 0) {
            style += " text-decoration=\"underline\"";
        }
        if ((looks & 0x1000_0000L) != 0) {
            style += " fill=\"#%03x\"".formatted((looks >> 12) & 0xfff);
        }
        return "<tspan x=\"%.1f\"%s>%s</tspan>".formatted(14 + (column + lead) * 8.43, style, text);
    }

    private void save(Path folder) throws IOException {
        Files.createDirectories(folder);
        Files.writeString(folder.resolve("journey.cast"), cast);
        int height = ROWS * 18 + 24;
        double seconds = 4.0 * pictures.size();
        StringBuilder svg = new StringBuilder();
        svg.append(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 872 %d\" font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,monospace\" font-size=\"14\" xml:space=\"preserve\">\n"
                        .formatted(height));
        svg.append("<style>g{visibility:hidden;animation:show %.0fs step-end infinite}text{white-space:pre;fill:#d8dee9}".formatted(seconds));
        double share = 100.0 / pictures.size();
        svg.append(
                String.format(
                        Locale.ROOT,
                        "@keyframes show{0%%{visibility:visible}%.3f%%{visibility:hidden}100%%{visibility:hidden}}",
                        share));
        svg.append("@media(prefers-reduced-motion:reduce){g{animation:none}g:last-of-type{visibility:visible}}</style>\n");
        svg.append("<title>The first minutes with Flagship</title>\n<rect width=\"872\" height=\"%d\" rx=\"8\" fill=\"#1e2430\"/>\n".formatted(height));
        for (int i = 0; i < pictures.size(); i++) {
            svg.append("<g style=\"animation-delay:%ds\">\n%s</g>\n".formatted(4 * i, pictures.get(i)));
        }
        Files.writeString(folder.resolve("journey.svg"), svg.append("</svg>\n"));
    }

    private void travel(boolean quick) throws IOException, InterruptedException {
        expect("[$#] ");
        type("PS1='$ '; clear\n"); // whoever is root has another one
        settled("$ ");
        type("./flagship --help\n");
        expect("pull");
        expect("Examples:");
        settled("$ ");
        type("clear; ./flagship list --catalogue\n");
        expect("smollm2 .* apache-2.0");
        settled("$ ");
        picture();
        type("./flagship pull smollm2\n");
        expect("smollm2 \\(SmolLM2-135M-Instruct, 93.8 MiB, licence Apache-2.0\\) is here. Try: flagship run smollm2");
        settled("$ ");
        type("./flagship list\n");
        expect("smollm2 +93.8 MiB +- +\\d{4}-\\d\\d-\\d\\d +Apache-2.0");
        settled("$ ");
        picture();
        type("clear; ./flagship show smollm2 | head -22\n");
        expect("parameters +134.5 M");
        settled("$ ");
        picture();

        type("clear; ./flagship run\n");
        settled("> ");
        type("Name three fish, in a list.\n");
        expect("\\w+");
        settled("> ");
        picture();
        type("\"\"\"Rewrite this in one line:\nThe ship sails\nat dawn.\"\"\"\n");
        expect("at dawn");
        settled("> ");
        boolean stopped = false;
        // An answer may be over before anybody can stop it; it is dropped, for short ones make short ones.
        for (int i = 0; i < TRIES && !stopped; i++) {
            if (i > 0) {
                type("/drop\n");
                settled("> ");
            }
            type("Tell the whole history of seafaring, from the first boats on, in many chapters.\n");
            expect("in many chapters\\.");
            expect("\\w{3,}\\W+\\w{3,}");
            stopped = stop();
        }
        if (!stopped) {
            throw new IllegalStateException(TRIES + " answers, and Ctrl-C stopped none");
        }
        type("/drop\n");
        settled("> ");
        type("/retry\n");
        expect("\\w{3,}");
        settled("> ");
        type("/stats\n");
        expect("context");
        settled("> ");
        picture();
        type("/bye\n");
        settled("$ ");

        type("clear; ./flagship tokenize smollm2 'Hello, world!'\n");
        expect("Hello");
        settled("$ ");
        picture();
        if (!quick) {
            type("clear; ./flagship bench smollm2 --runs 1 --force\n");
            expect("decode");
            settled("$ ");
            picture();
        }
        type("./flagship rm smollm2\n");
        expect("Removed smollm2: .* are free again");
        settled("$ ");
        type("./flagship list\n");
        expect("No models are here yet");
        settled("$ ");
        never("Exception");
        type("exit\n");
        process.waitFor();
    }

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]);
        Path home = Files.createTempDirectory("newcomer");
        var journey = new Journey(home);
        try {
            journey.travel(List.of(arguments).contains("--quick"));
            System.out.println("the journey came to its end; its recording is in " + folder);
        } finally {
            journey.process.descendants().forEach(ProcessHandle::destroyForcibly);
            journey.process.destroyForcibly();
            journey.save(folder);
            try (var files = Files.walk(home)) {
                files.sorted(java.util.Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
            }
        }
    }
}
