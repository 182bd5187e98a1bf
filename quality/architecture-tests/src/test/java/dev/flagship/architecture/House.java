package dev.flagship.architecture;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The table "who may import whom" of ARCHITECTURE.md. What is not listed is forbidden; {@code base}
 * and the annotations are open to all.
 */
final class House {

    /**
     * A module.
     *
     * @param folder from the root of the repository
     * @param imports names of the modules it may import
     * @param libraries packages of others that it may import, with what is below them
     */
    record Module(String folder, Set<String> imports, Set<String> libraries) {

        /** Artifact without its prefix: the last folder. */
        String name() {
            return folder.substring(folder.lastIndexOf('/') + 1);
        }

        String artifact() {
            return "flagship-" + name();
        }

        /** Its package below the root package. */
        String packageName() {
            return name().replace('-', '.');
        }

        /** Engine modules are named modules; the others live on the class path. */
        boolean named() {
            return folder.equals("base") || folder.startsWith("engine/");
        }
    }

    private static final String JSON_CORE = "tools.jackson.core";
    private static final String JSON = "tools.jackson";

    static final List<Module> MODULES =
            List.of(
                    module("base", Set.of(), Set.of()),
                    module("engine/tensor", Set.of(), Set.of()),
                    module(
                            "engine/kernels-vector",
                            Set.of("tensor"),
                            Set.of("jdk.incubator.vector")),
                    module("engine/kernels-x86", Set.of("tensor"), Set.of()),
                    module("engine/formats", Set.of("tensor"), Set.of(JSON_CORE)),
                    module("engine/tokenizers", Set.of(), Set.of(JSON_CORE)),
                    module("engine/nn", Set.of("tensor"), Set.of()),
                    module("engine/models", Set.of("nn", "tensor"), Set.of()),
                    module("runtime/serving-api", Set.of(), Set.of()),
                    module(
                            "runtime/serving",
                            Set.of(
                                    "serving-api",
                                    "models",
                                    "nn",
                                    "formats",
                                    "tokenizers",
                                    "tensor"),
                            Set.of(JSON, "com.sun.management", "jdk.jfr")),
                    module("platform/launch", Set.of("serving-api"), Set.of(JSON, "java.net.http")),
                    module("platform/http", Set.of(), Set.of("io.helidon")),
                    module(
                            "app/server",
                            Set.of("http", "launch", "serving", "serving-api"),
                            Set.of(JSON)),
                    module(
                            "app/cli",
                            Set.of("server", "launch", "http", "serving", "serving-api", "tensor"),
                            Set.of(JSON, "picocli", "org.jline")),
                    module("app/embedded", Set.of("launch", "serving", "serving-api"), Set.of()),
                    module(
                            "quality/testing",
                            Set.of("serving-api", "nn", "tensor", "formats"),
                            Set.of("org.junit", "org.assertj", "com.sun.management")),
                    module("quality/hostile", Set.of("tensor"), Set.of("com.sun.management")),
                    module(
                            "quality/fuzz",
                            Set.of("hostile", "serving", "tokenizers", "tensor"),
                            Set.of("picocli")),
                    module(
                            "quality/bench",
                            Set.of(
                                    "tensor",
                                    "nn",
                                    "models",
                                    "formats",
                                    "tokenizers",
                                    "serving-api",
                                    "serving",
                                    "launch",
                                    "http",
                                    "server",
                                    "testing"),
                            Set.of(JSON, "picocli", "com.sun.management", "javax.tools")),
                    module("quality/architecture-tests", Set.of(), Set.of()));

    /** Modules that may only ever be there at run time: found by a ServiceLoader. */
    static final Set<String> FOUND_AT_RUN_TIME = Set.of("kernels-vector", "kernels-x86");

    /** What every module may import besides the JDK. */
    private static final List<String> OPEN_TO_ALL =
            List.of("org.jspecify", "com.google.errorprone.annotations");

    /** Parts of the JDK with a room of their own, or with none. */
    private static final List<String> NOT_OPEN = List.of("java.net.http", "java.sql", "javax");

    private static final Map<String, Module> BY_NAME =
            MODULES.stream().collect(Collectors.toMap(Module::name, module -> module));

    private final String root;

    /** The house whose modules are packages below a root: ours, or a sample of bad building. */
    House(String root) {
        this.root = root;
    }

    String root() {
        return root;
    }

    private static Module module(String folder, Set<String> imports, Set<String> libraries) {
        return new Module(folder, imports, libraries);
    }

    static Module named(String name) {
        return Optional.ofNullable(BY_NAME.get(name))
                .orElseThrow(() -> new IllegalArgumentException("no module is called " + name));
    }

    /** The module that a package belongs to: the one with the longest name that fits. */
    Optional<Module> moduleOf(String packageName) {
        return MODULES.stream()
                .filter(module -> within(packageName, root + "." + module.packageName()))
                .max(Comparator.comparingInt(module -> module.packageName().length()));
    }

    /** Why a module must not import a package; empty if it may. */
    Optional<String> objection(Module importer, String imported) {
        if (within(imported, root)) {
            return moduleOf(imported)
                    .filter(target -> !mayImport(importer, target))
                    .map(target -> importer.name() + " must not know " + target.name());
        }
        boolean open =
                Stream.concat(OPEN_TO_ALL.stream(), importer.libraries().stream())
                                .anyMatch(library -> within(imported, library))
                        || (within(imported, "java")
                                && NOT_OPEN.stream().noneMatch(part -> within(imported, part)));
        return open
                ? Optional.empty()
                : Optional.of(importer.name() + " must not use the library " + imported);
    }

    static boolean mayImport(Module importer, Module target) {
        return importer.equals(target)
                || target.name().equals("base")
                || importer.imports().contains(target.name());
    }

    /** Packages of all modules in a folder of the house, for ArchUnit's package patterns. */
    String[] packagesIn(String room, String... except) {
        List<String> patterns = new ArrayList<>();
        for (Module module : MODULES) {
            if (module.folder().startsWith(room) && !List.of(except).contains(module.name())) {
                patterns.add(root + "." + module.packageName() + "..");
            }
        }
        return patterns.toArray(String[]::new);
    }

    private static boolean within(String packageName, String prefix) {
        return packageName.equals(prefix) || packageName.startsWith(prefix + ".");
    }
}
