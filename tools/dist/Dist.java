import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

/**
 * Makes the archive of {@code flagship dist}: {@code java Dist.java ROOT LIB BENCH-LIB FOLDER}, of
 * the repository, the jars of the command line, those of bench, and where to put it. The same
 * sources and JDK give the same bytes: files lie in order of their names, with the time that Maven
 * gives the entries of jars.
 *
 * <pre>
 * flagship-VERSION-OS-ARCH/
 *   bin/flagship      the repository's own launcher
 *   lib/*.jar         the command line; lib/bench/*.jar: what bench takes besides
 *   runtime/          of Java only the modules that these need (jlink)
 *   share/            manual page, completion for bash, zsh and fish
 *   LICENSE NOTICE README.txt
 * </pre>
 */
final class Dist {
    /** Beside what jdeps says: what is looked for by name, and java.xml, which Jackson links to. */
    private static final List<String> FOUND_AT_RUN_TIME =
            List.of("java.logging", "java.xml", "jdk.incubator.vector", "jdk.unsupported");

    /**
     * What jdeps sees in libraries that do without: support of types that nobody here has, and of
     * bench's for peers that are written in Java, which need a JDK.
     */
    private static final List<String> OPTIONAL =
            List.of("java.desktop", "java.sql", "java.compiler");

    /** For tests alone: 9 MB, of which bench reads nothing. */
    private static final String TEST_MODELS = "dev/flagship/testing/golden/llama/";

    private final Path root;
    private final Path jdk = Path.of(System.getProperty("java.home"));
    private final String version;
    private final Instant time;

    private Dist(Path root) throws IOException {
        this.root = root;
        String pom = Files.readString(root.resolve("pom.xml"));
        this.version = found(pom, "(?m)^  <version>(.*)</version>$");
        this.time =
                Instant.parse(
                        found(
                                pom,
                                "<project.build.outputTimestamp>(.*)</project.build.outputTimestamp>"));
    }

    /** Makes it, and prints what was made. */
    public static void main(String[] args) throws Exception {
        try {
            new Dist(Path.of(args[0]))
                    .make(Path.of(args[1]), Path.of(args[2]), Path.of(args[3]));
        } catch (Failure e) {
            System.err.println("flagship: " + e.getMessage());
            System.exit(1);
        }
    }

    /** What a person can do something about. */
    private static final class Failure extends Exception {
        private static final long serialVersionUID = 1L;

        Failure(String message) {
            super(message);
        }
    }

    private void make(Path lib, Path benchLib, Path folder) throws Exception {
        String name = "flagship-%s-%s".formatted(version, platform());
        Path work = Files.createTempDirectory(root.resolve("target"), "dist-");
        Runtime.getRuntime().addShutdownHook(new Thread(() -> delete(work)));
        Path top = Files.createDirectories(work.resolve(name));
        copyJars(lib, benchLib, top.resolve("lib"));
        checkLicences(top.resolve("lib"));
        Files.writeString(top.resolve("lib/build"), build(top.resolve("lib")) + "\n");
        link(top);
        Path bin = Files.createDirectories(top.resolve("bin"));
        Files.copy(root.resolve("flagship"), bin.resolve("flagship"));
        share(top);
        Files.copy(root.resolve("LICENSE"), top.resolve("LICENSE"));
        Files.writeString(
                top.resolve("NOTICE"),
                read("NOTICE") + "\n" + read("tools/dist/THIRD-PARTY.txt"));
        Files.writeString(
                top.resolve("README.txt"),
                read("tools/dist/README.txt").replace("VERSION", version));
        long unpacked = date(top);
        Path archive = folder.resolve(name + ".tar.gz");
        Path part = Files.createTempFile(folder, "." + name, ".part");
        try {
            byte[] digest = write(work, part);
            Files.setPosixFilePermissions(part, PosixFilePermissions.fromString("rw-r--r--"));
            Files.move(
                    part,
                    archive,
                    java.nio.file.StandardCopyOption.ATOMIC_MOVE,
                    java.nio.file.StandardCopyOption.REPLACE_EXISTING);
            System.out.printf(
                    Locale.ROOT,
                    "%s%n%.1f MB, unpacked %.1f MB; SHA-256 %s%n",
                    archive,
                    Files.size(archive) / 1e6,
                    unpacked / 1e6,
                    HexFormat.of().formatHex(digest));
        } finally {
            Files.deleteIfExists(part);
        }
        System.out.printf(Locale.ROOT, "starts in %.2f s (bin/flagship --help)%n", startUp(bin));
    }

    private static String platform() {
        String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String arch = System.getProperty("os.arch");
        return (os.startsWith("mac") ? "macos" : os)
                + "-"
                + (arch.equals("amd64") ? "x86_64" : arch);
    }

    // --- Contents

    private static void copyJars(Path lib, Path benchLib, Path to) throws IOException {
        Files.createDirectories(to.resolve("bench"));
        for (Path jar : jars(lib)) {
            Files.copy(jar, to.resolve(jar.getFileName()));
        }
        for (Path jar : jars(benchLib)) {
            if (!Files.exists(to.resolve(jar.getFileName()))) {
                copyWithout(TEST_MODELS, jar, to.resolve("bench").resolve(jar.getFileName()));
            }
        }
    }

    private static void copyWithout(String prefix, Path from, Path to) throws IOException {
        try (var zip = new ZipFile(from.toFile());
                var out = new ZipOutputStream(Files.newOutputStream(to))) {
            for (ZipEntry entry : zip.stream().map(ZipEntry.class::cast).toList()) {
                if (!entry.getName().startsWith(prefix)) {
                    var copy = new ZipEntry(entry.getName());
                    copy.setTimeLocal(entry.getTimeLocal());
                    out.putNextEntry(copy);
                    try (var in = zip.getInputStream(entry)) {
                        in.transferTo(out);
                    }
                }
            }
        }
    }

    /** Tells builds apart, whose jars have equal dates: an AOT cache is of one of them. */
    private static String build(Path lib) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        for (Path jar : jars(lib)) {
            digest.update(Files.readAllBytes(jar));
        }
        return HexFormat.of().formatHex(digest.digest()).substring(0, 16);
    }

    private static List<Path> jars(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(".jar")).sorted().toList();
        }
    }

    /** Whoever adds a library also says under which licence it is passed on. */
    private void checkLicences(Path lib) throws Exception {
        List<String> known = new ArrayList<>();
        Matcher line =
                Pattern.compile("(?m)^  ([\\w-]+)-\\*\\.jar ").matcher(read("tools/dist/THIRD-PARTY.txt"));
        while (line.find()) {
            known.add(line.group(1));
        }
        for (Path folder : List.of(lib, lib.resolve("bench"))) {
            for (Path jar : jars(folder)) {
                String name = jar.getFileName().toString();
                if (!name.startsWith("flagship-") && known.stream().noneMatch(name::startsWith)) {
                    throw new Failure(
                            "tools/dist/THIRD-PARTY.txt does not say under which licence %s is passed on"
                                    .formatted(name));
                }
            }
        }
    }

    private void link(Path top) throws Exception {
        var modules = new TreeSet<>(FOUND_AT_RUN_TIME);
        List<String> all = new ArrayList<>();
        for (Path folder : List.of(top.resolve("lib"), top.resolve("lib/bench"))) {
            jars(folder).forEach(jar -> all.add(jar.toString()));
        }
        List<String> jdeps =
                new ArrayList<>(
                        List.of(
                                tool("jdeps"),
                                "--multi-release",
                                Integer.toString(Runtime.version().feature()),
                                "--ignore-missing-deps",
                                "--print-module-deps",
                                "-cp",
                                top.resolve("lib") + "/*"));
        jdeps.addAll(all);
        String needed = run(jdeps).lines().reduce("", (_, last) -> last).strip();
        for (String module : needed.split(",")) {
            if (module.startsWith("java.") || module.startsWith("jdk.")) {
                modules.add(module);
            }
        }
        modules.removeAll(OPTIONAL);
        run(
                List.of(
                        tool("jlink"),
                        "--add-modules",
                        String.join(",", modules),
                        "--strip-java-debug-attributes",
                        "--no-header-files",
                        "--no-man-pages",
                        "--generate-cds-archive",
                        "--output",
                        top.resolve("runtime").toString()));
        // For heaps of more than 32 GB.
        Files.deleteIfExists(top.resolve("runtime/lib/server/classes_nocoops.jsa"));
    }

    private String tool(String name) throws Failure {
        Path tool = jdk.resolve("bin").resolve(name);
        if (!Files.isExecutable(tool)) {
            throw new Failure("the JDK in %s has no %s; set JAVA_HOME to one that has".formatted(jdk, name));
        }
        return tool.toString();
    }

    private void share(Path top) throws Exception {
        String launcher = top.resolve("bin/flagship").toString();
        complete(launcher, "bash", top.resolve("share/bash-completion/completions/flagship"));
        complete(launcher, "zsh", top.resolve("share/zsh/site-functions/_flagship"));
        complete(launcher, "fish", top.resolve("share/fish/vendor_completions.d/flagship.fish"));
        Path man = Files.createDirectories(top.resolve("share/man/man1")).resolve("flagship.1");
        Files.writeString(man, ManPage.of(read("docs/commands.md"), version, time.toString().substring(0, 10)));
    }

    private void complete(String launcher, String shell, Path to) throws Exception {
        Files.createDirectories(to.getParent());
        Files.writeString(to, run(List.of(launcher, "completion", shell)));
    }

    private String read(String file) throws IOException {
        return Files.readString(root.resolve(file));
    }

    private static String found(String text, String pattern) {
        Matcher matcher = Pattern.compile(pattern).matcher(text);
        if (!matcher.find()) {
            throw new IllegalStateException("pom.xml has no " + pattern);
        }
        return matcher.group(1);
    }

    private static String run(List<String> command) throws Exception {
        var builder = new ProcessBuilder(command).redirectErrorStream(false);
        builder.redirectError(ProcessBuilder.Redirect.PIPE);
        builder.environment().keySet().removeIf(name -> name.startsWith("FLAGSHIP_"));
        builder.environment().put("FLAGSHIP_AOT", "no");
        Process process = builder.start();
        process.getOutputStream().close();
        var errors = new ByteArrayOutputStream();
        Thread reader =
                Thread.startVirtualThread(() -> {
                    try {
                        process.getErrorStream().transferTo(errors);
                    } catch (IOException e) {
                        // then it said no more
                    }
                });
        String output =
                new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int code = process.waitFor();
        reader.join();
        if (code != 0) {
            throw new Failure(
                    "%s ended with %d: %s%s"
                            .formatted(
                                    command.getFirst(),
                                    code,
                                    errors.toString(StandardCharsets.UTF_8),
                                    output));
        }
        return output;
    }

    /** Median of five, by the launcher that was packed. */
    private static double startUp(Path bin) throws Exception {
        double[] seconds = new double[5];
        for (int i = 0; i < seconds.length; i++) {
            long before = System.nanoTime();
            run(List.of(bin.resolve("flagship").toString(), "--help"));
            seconds[i] = (System.nanoTime() - before) / 1e9;
        }
        Arrays.sort(seconds);
        return seconds[seconds.length / 2];
    }

    // --- The archive

    /** Dates all files alike; Java's caches of classes go by the times of jars. */
    private long date(Path top) throws IOException {
        long bytes = 0;
        for (Path file : below(top)) {
            if (!Files.isSymbolicLink(file)) {
                bytes += Files.isRegularFile(file) ? Files.size(file) : 0;
                Files.setLastModifiedTime(file, FileTime.from(time));
            }
        }
        return bytes;
    }

    private static List<Path> below(Path top) throws IOException {
        try (Stream<Path> files = Files.walk(top)) {
            return files.sorted(Comparator.comparing(Path::toString)).toList();
        }
    }

    private byte[] write(Path work, Path archive) throws IOException, NoSuchAlgorithmException {
        var digest = MessageDigest.getInstance("SHA-256");
        try (var out =
                new GZIPOutputStream(
                        new DigestOutputStream(
                                new BufferedOutputStream(Files.newOutputStream(archive)), digest)) {
                    {
                        def.setLevel(Deflater.BEST_COMPRESSION);
                    }
                }) {
            for (Path file : below(work)) {
                if (!file.equals(work)) {
                    entry(work, file, out);
                }
            }
            out.write(new byte[1024]); // two blocks of zeros end it
        }
        return digest.digest();
    }

    /** POSIX's ustar: a block of 512 bytes about the file, and the file in whole blocks. */
    private void entry(Path work, Path file, OutputStream out) throws IOException {
        boolean link = Files.isSymbolicLink(file);
        boolean folder = Files.isDirectory(file, LinkOption.NOFOLLOW_LINKS);
        byte[] content = link || folder ? new byte[0] : Files.readAllBytes(file);
        String name = work.relativize(file) + (folder ? "/" : "");
        String prefix = "";
        if (name.length() > 100) {
            int cut = name.lastIndexOf('/', 155);
            prefix = name.substring(0, cut);
            name = name.substring(cut + 1);
        }
        byte[] head = new byte[512];
        text(head, 0, 100, name);
        octal(head, 100, 8, folder || link || Files.isExecutable(file) ? 0755 : 0644);
        octal(head, 108, 8, 0); // owner and group: root
        octal(head, 116, 8, 0);
        octal(head, 124, 12, content.length);
        octal(head, 136, 12, time.getEpochSecond());
        head[156] = (byte) (link ? '2' : folder ? '5' : '0');
        text(head, 157, 100, link ? Files.readSymbolicLink(file).toString() : "");
        text(head, 257, 6, "ustar");
        text(head, 263, 2, "00");
        text(head, 265, 32, "root");
        text(head, 297, 32, "root");
        text(head, 345, 155, prefix);
        Arrays.fill(head, 148, 156, (byte) ' '); // the sum counts its own place as blanks
        int sum = 0;
        for (byte b : head) {
            sum += b & 0xff;
        }
        octal(head, 148, 7, sum);
        out.write(head);
        out.write(content);
        out.write(new byte[-content.length & 511]);
    }

    private static void text(byte[] head, int at, int most, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        if (bytes.length > most) {
            throw new IllegalStateException(text + " is too long for an archive");
        }
        System.arraycopy(bytes, 0, head, at, bytes.length);
    }

    private static void octal(byte[] head, int at, int length, long number) {
        text(head, at, length - 1, ("%0" + (length - 1) + "o").formatted(number));
        head[at + length - 1] = 0;
    }

    private static void delete(Path folder) {
        try {
            for (Path file : below(folder).reversed()) {
                Files.delete(file);
            }
        } catch (IOException e) {
            System.err.println("flagship: " + folder + " stays: " + e.getMessage());
        }
    }

    /** The manual, of the page that a test holds equal to what each command says of itself. */
    private static final class ManPage {
        private ManPage() {}

        static String of(String page, String version, String date) {
            var out = new StringBuilder();
            out.append(".TH FLAGSHIP 1 ").append(date).append(" \"flagship ").append(version);
            out.append("\" \"User Commands\"\n.SH NAME\n");
            out.append("flagship \\- runs open language models on this machine\n");
            boolean verbatim = false;
            for (String line : page.lines().toList()) {
                if (line.startsWith("```")) {
                    verbatim = !verbatim;
                    out.append(verbatim ? ".PP\n.nf\n" : ".fi\n");
                } else if (verbatim) {
                    out.append(escaped(line)).append('\n');
                } else if (line.startsWith("## ")) {
                    out.append(".SH ").append(escaped(line.substring(3).toUpperCase(Locale.ROOT)));
                    out.append('\n');
                } else if (line.startsWith("| ")) {
                    String[] cells = line.split(" *\\| *");
                    if (!cells[1].startsWith("-") && !cells[1].equals("code")) {
                        out.append(".TP\n").append(cells[1]).append('\n');
                        out.append(plain(cells[2])).append('\n');
                    }
                } else if (!line.startsWith("# ") && !line.startsWith("|") && !line.startsWith("<")) {
                    out.append(line.isBlank() ? ".PP" : plain(line)).append('\n');
                }
            }
            return out.toString();
        }

        /** Markdown's links and marks are none of a manual's. */
        private static String plain(String text) {
            return escaped(
                    text.replaceAll("\\[([^]]*)]\\([^)]*\\)", "$1").replaceAll("[`*]", ""));
        }

        private static String escaped(String text) {
            String safe = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...");
            return safe.startsWith(".") || safe.startsWith("'") ? "\\&" + safe : safe;
        }
    }
}
