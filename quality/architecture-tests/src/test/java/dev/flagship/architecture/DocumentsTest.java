package dev.flagship.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** What the documents promise is there. */
final class DocumentsTest {

    private static final Repository REPOSITORY = Repository.here();

    /** [text](target), without the anchor. */
    private static final Pattern LINK =
            Pattern.compile("\\[[^\\]]*]\\(([^)#\\s]*)(?:#[^)\\s]*)?\\)");

    /** `path/with/slashes.ending` of a file in the tree. */
    private static final Pattern CODE_PATH =
            Pattern.compile("`((?:[\\w.-]+/)+[\\w-]+\\.(?:java|md|py|xml|sh))`");

    @Test
    void linksLeadSomewhere() {
        List<String> broken = new ArrayList<>();
        int links = 0;
        for (Path document : documents()) {
            Matcher link = LINK.matcher(REPOSITORY.read(document.toString()));
            while (link.find()) {
                String target = link.group(1);
                if (target.isEmpty() || target.contains("://") || target.startsWith("mailto:")) {
                    continue;
                }
                links++;
                String file = document.resolveSibling(target).normalize().toString();
                if (!REPOSITORY.exists(file)) {
                    broken.add(document + " -> " + target);
                }
            }
        }
        assertThat(broken).isEmpty();
        assertThat(links).as("links seen").isGreaterThan(20);
    }

    @Test
    void filesNamedInTextExist() {
        List<String> missing = new ArrayList<>();
        int named = 0;
        for (Path document : documents()) {
            Matcher path = CODE_PATH.matcher(REPOSITORY.read(document.toString()));
            while (path.find()) {
                named++;
                if (!REPOSITORY.exists(path.group(1))) {
                    missing.add(document + " names " + path.group(1));
                }
            }
        }
        assertThat(missing).isEmpty();
        assertThat(named).as("files named").isGreaterThan(5);
    }

    /** Which .ci/run compiles and runs. */
    @Test
    void javaExampleIsTheSample() {
        String page = REPOSITORY.read("docs/java-api.md");
        int begin = page.indexOf("```java\n") + "```java\n".length();
        assertThat(page.substring(begin, page.indexOf("```\n", begin)))
                .isEqualTo(REPOSITORY.read("samples/embed/src/main/java/sample/Ask.java"));
    }

    @Test
    void readmeNamesEveryModuleAndFitsOnAFewScreens() {
        String readme = REPOSITORY.read("README.md");
        assertThat(readme.lines().count()).isLessThanOrEqualTo(150);
        assertThat(readme).contains("./flagship serve", "./flagship test");
        for (House.Module module : House.MODULES) {
            assertThat(readme).contains("`" + module.folder() + "`");
        }
    }

    @Test
    void architectureNamesEveryModule() {
        String text = REPOSITORY.read("ARCHITECTURE.md");
        for (House.Module module : House.MODULES) {
            assertThat(text).contains("| " + module.name() + " |");
        }
    }

    @Test
    void recordsAreNumberedWithoutGaps() {
        var numbers = new TreeSet<Integer>();
        List<Path> records = REPOSITORY.files("docs/adr", ".md");
        for (Path record : records) {
            numbers.add(Integer.parseInt(String.valueOf(record.getFileName()).substring(0, 4)));
        }
        assertThat(numbers).hasSameSizeAs(records).last().isEqualTo(records.size());
        assertThat(records).hasSizeGreaterThanOrEqualTo(6);
    }

    private static List<Path> documents() {
        List<Path> documents = new ArrayList<>(REPOSITORY.files("docs", ".md"));
        for (String name : List.of("README", "ARCHITECTURE", "CONTRIBUTING", "CHANGELOG")) {
            documents.add(Path.of(name + ".md"));
        }
        return documents;
    }
}
