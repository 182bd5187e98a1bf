package dev.flagship.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/**
 * The package-info is the specification of a package: it is there, says something, and excludes
 * null.
 */
final class PackagesTest {

    private static final Repository REPOSITORY = Repository.here();

    @Test
    void everyPackageHasItsSpecification() {
        List<String> wrong = new ArrayList<>();
        Set<Path> packages = packages();
        for (Path folder : packages) {
            String file = folder.resolve("package-info.java").toString();
            if (!REPOSITORY.exists(file)) {
                wrong.add(file + " is missing");
            } else {
                problem(REPOSITORY.read(file)).ifPresent(p -> wrong.add(file + " " + p));
            }
        }
        assertThat(wrong).isEmpty();
        assertThat(packages).hasSizeGreaterThanOrEqualTo(14);
    }

    @Test
    void specificationWithoutWordsOrNullMarkIsFound() {
        assertThat(problem("@NullMarked\npackage a;\n"))
                .hasValue("does not say what the package is");
        assertThat(problem("/** */\n@NullMarked\npackage a;\n")).isPresent();
        assertThat(problem("/** Knows nothing about users. */\npackage a;\n"))
                .hasValue("is not @NullMarked");
        assertThat(problem("/** Knows nothing about users. */\n@NullMarked\npackage a;\n"))
                .isEmpty();
    }

    private static Optional<String> problem(String specification) {
        int begin = specification.indexOf("/**");
        int end = specification.indexOf("*/", Math.max(begin, 0));
        if (begin < 0 || end - begin < 30) {
            return Optional.of("does not say what the package is");
        }
        return specification.substring(end).contains("@NullMarked\npackage ")
                ? Optional.empty()
                : Optional.of("is not @NullMarked");
    }

    private static Set<Path> packages() {
        Set<Path> packages = new TreeSet<>();
        for (House.Module module : House.MODULES) {
            for (Path file : REPOSITORY.files(module.folder() + "/src/main/java", ".java")) {
                if (!file.endsWith("module-info.java") && file.getParent() != null) {
                    packages.add(file.getParent());
                }
            }
        }
        return packages;
    }
}
