package dev.flagship.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.xml.sax.SAXException;

/** Maven's files say the same as the table of modules. */
final class ProjectsTest {

    private static final Repository REPOSITORY = Repository.here();
    private static final Set<String> MOCKS = Set.of("mockito-core", "easymock", "powermock-core");

    private record Dependency(String group, String artifact, String scope, boolean versioned) {}

    static Stream<House.Module> modules() {
        return House.MODULES.stream();
    }

    @Test
    void tableListsTheModulesThatAreBuilt() {
        List<String> built = new ArrayList<>();
        for (Element module : children(pom("pom.xml"), "modules", "module")) {
            built.add(module.getTextContent());
        }
        assertThat(built)
                .containsExactlyInAnyOrderElementsOf(
                        House.MODULES.stream().map(House.Module::folder).toList());
    }

    @ParameterizedTest
    @MethodSource("modules")
    void artifactIsNamedAfterItsFolder(House.Module module) {
        Element pom = pom(module.folder() + "/pom.xml");
        assertThat(text(pom, "artifactId")).isEqualTo(module.artifact());
        assertThat(text(pom, "description")).isNotBlank();
    }

    @ParameterizedTest
    @MethodSource("modules")
    void dependenciesAreThoseOfTheTable(House.Module module) {
        for (Dependency dependency : dependencies(module)) {
            assertThat(dependency.versioned())
                    .as("%s: versions stand in the parent only", dependency)
                    .isFalse();
            assertThat(MOCKS).as("no mocks").doesNotContain(dependency.artifact());
            if (!dependency.group().equals("dev.flagship") || dependency.scope().equals("test")) {
                continue;
            }
            House.Module target =
                    House.named(dependency.artifact().substring("flagship-".length()));
            boolean found = House.FOUND_AT_RUN_TIME.contains(target.name());
            assertThat(
                            found
                                    ? dependency.scope().equals("runtime")
                                    : House.mayImport(module, target))
                    .as("%s may depend on %s", module.name(), dependency)
                    .isTrue();
        }
    }

    @ParameterizedTest
    @MethodSource("modules")
    void engineModulesAreNamedAndOthersAreNot(House.Module module) {
        assertThat(REPOSITORY.exists(module.folder() + "/src/main/java/module-info.java"))
                .isEqualTo(module.named());
    }

    /** What is deployed is what a program that embeds models needs, and nothing else. */
    @Test
    void deployedAreTheEmbeddedModuleAndWhatItNeeds() {
        var needed = new TreeSet<String>();
        var open = new ArrayDeque<>(List.of(House.named("embedded")));
        while (!open.isEmpty()) {
            House.Module module = open.remove();
            if (needed.add(module.folder())) {
                dependencies(module).stream()
                        .filter(d -> d.group().equals("dev.flagship") && !d.scope().equals("test"))
                        .map(d -> House.named(d.artifact().substring("flagship-".length())))
                        .forEach(open::add);
            }
        }
        for (House.Module module : House.MODULES) {
            Element pom = pom(module.folder() + "/pom.xml");
            boolean skipped =
                    childrenOf(pom, "properties").stream()
                            .anyMatch(p -> text(p, "maven.deploy.skip").equals("true"));
            assertThat(!skipped).as(module.folder()).isEqualTo(needed.contains(module.folder()));
            assertThat(skipped || text(pom, "name").equals(module.artifact()))
                    .as("%s has the name that public repositories ask for", module.folder())
                    .isTrue();
        }
    }

    private static List<Dependency> dependencies(House.Module module) {
        List<Dependency> dependencies = new ArrayList<>();
        for (Element d :
                children(pom(module.folder() + "/pom.xml"), "dependencies", "dependency")) {
            dependencies.add(
                    new Dependency(
                            text(d, "groupId"),
                            text(d, "artifactId"),
                            text(d, "scope"),
                            !text(d, "version").isEmpty()));
        }
        return dependencies;
    }

    private static Element pom(String file) {
        try {
            return DocumentBuilderFactory.newDefaultInstance()
                    .newDocumentBuilder()
                    .parse(REPOSITORY.root().resolve(file).toFile())
                    .getDocumentElement();
        } catch (IOException | SAXException | ParserConfigurationException e) {
            throw new IllegalStateException("cannot read " + file, e);
        }
    }

    private static List<Element> children(Element parent, String list, String name) {
        return childrenOf(parent, list).stream()
                .flatMap(l -> childrenOf(l, name).stream())
                .toList();
    }

    private static List<Element> childrenOf(Element parent, String name) {
        List<Element> children = new ArrayList<>();
        for (Node n = parent.getFirstChild(); n != null; n = n.getNextSibling()) {
            if (n instanceof Element element && element.getTagName().equals(name)) {
                children.add(element);
            }
        }
        return children;
    }

    private static String text(Element parent, String name) {
        return childrenOf(parent, name).stream()
                .map(Element::getTextContent)
                .findFirst()
                .orElse("");
    }
}
