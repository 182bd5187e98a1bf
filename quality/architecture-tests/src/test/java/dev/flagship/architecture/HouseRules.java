package dev.flagship.architecture;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.simpleName;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.fields;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaConstructorCall;
import com.tngtech.archunit.core.domain.JavaField;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import java.io.PrintStream;
import java.util.Collection;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The house rules that bytecode shows. Each is made for a root package, so that a sample of bad
 * building can prove that it bites.
 */
final class HouseRules {

    private static final Pattern EMPTY_NAME =
            Pattern.compile("Abstract.*|.*(Manager|Helper|Helpers|Util|Utils|Impl)");

    /** Counts the memory of the process, so there is one of it in the process. */
    private static final String PROCESS_WIDE = "MemoryLedger";

    private static final Set<String> UNTYPED_ERRORS =
            Set.of("java.lang.RuntimeException", "java.lang.Exception", "java.lang.Error");

    /** What a person starts: printing and ending the process are theirs. */
    private static final Set<String> PROGRAMS = Set.of("cli", "bench", "fuzz");

    private HouseRules() {}

    static Map<String, ArchRule> of(House house) {
        return Map.of(
                "directions", directions(house),
                "cycles", cycles(house),
                "names", names(),
                "statics", statics(),
                "mutable constants", mutableConstants(),
                "error types", errorTypes(house),
                "untyped errors", untypedErrors(),
                "process", process(house),
                "threads", threads(house),
                "restricted calls", restrictedCalls());
    }

    /** Modules and libraries that are not in the table are not imported. */
    static ArchRule directions(House house) {
        return classes()
                .should(
                        condition(
                                "import only what the table of modules allows",
                                (JavaClass item, ConditionEvents events) -> {
                                    var module = house.moduleOf(item.getPackageName());
                                    if (module.isEmpty()) {
                                        violated(item, item.getName() + " is in no module", events);
                                        return;
                                    }
                                    for (Dependency d : item.getDirectDependenciesFromSelf()) {
                                        JavaClass target =
                                                d.getTargetClass().getBaseComponentType();
                                        if (target.isPrimitive()) {
                                            continue;
                                        }
                                        house.objection(module.get(), target.getPackageName())
                                                .ifPresent(why ->
                                                        violated(
                                                                item,
                                                                why + ": " + d.getDescription(),
                                                                events));
                                    }
                                }));
    }

    static ArchRule cycles(House house) {
        return slices().matching(house.root() + ".(**)").should().beFreeOfCycles();
    }

    static ArchRule names() {
        return classes()
                .should(
                        condition(
                                "be named after what they are",
                                (JavaClass item, ConditionEvents events) -> {
                                    if (EMPTY_NAME.matcher(item.getSimpleName()).matches()) {
                                        violated(
                                                item,
                                                item.getName() + " is named after nothing",
                                                events);
                                    }
                                }));
    }

    static ArchRule statics() {
        return fields().that()
                .areStatic()
                .and(DescribedPredicate.describe("are written by people", HouseRules::written))
                .should()
                .beFinal();
    }

    /** A final field can still hold what changes: counters, maps, caches, shared arrays. */
    static ArchRule mutableConstants() {
        return fields().that()
                .areStatic()
                .and(DescribedPredicate.describe("are written by people", HouseRules::written))
                .and()
                .areDeclaredInClassesThat(DescribedPredicate.not(simpleName(PROCESS_WIDE)))
                .should(
                        condition(
                                "hold nothing that changes",
                                (JavaField field, ConditionEvents events) -> {
                                    if (changes(field)) {
                                        violated(
                                                field,
                                                field.getFullName()
                                                        + " can change: "
                                                        + field.getRawType().getName(),
                                                events);
                                    }
                                }));
    }

    private static boolean written(JavaField field) {
        return !field.getModifiers().contains(JavaModifier.SYNTHETIC)
                && !field.getName().contains("$");
    }

    private static boolean changes(JavaField field) {
        JavaClass type = field.getRawType();
        if (type.isArray()) {
            return !field.getModifiers().contains(JavaModifier.PRIVATE);
        }
        boolean container =
                (type.isAssignableTo(Collection.class) || type.isAssignableTo(Map.class))
                        && !type.isInterface();
        return container
                || type.getPackageName().startsWith("java.util.concurrent")
                || type.isAssignableTo(ThreadLocal.class)
                || type.isAssignableTo(java.util.Random.class)
                || type.isAssignableTo(StringBuilder.class);
    }

    /**
     * Unchecked errors are coded and typed; checked ones do not leave their package, since a caller
     * outside can do nothing with them.
     */
    static ArchRule errorTypes(House house) {
        return classes()
                .that()
                .areAssignableTo(Throwable.class)
                .should(
                        condition(
                                "be FlagshipException's or, if checked, stay in their package",
                                (JavaClass item, ConditionEvents events) -> {
                                    boolean coded =
                                            item.isAssignableTo(
                                                    house.root() + ".base.FlagshipException");
                                    boolean checkedInside =
                                            !item.isAssignableTo(RuntimeException.class)
                                                    && !item.isAssignableTo(Error.class)
                                                    && !item.getModifiers()
                                                            .contains(JavaModifier.PUBLIC);
                                    if (!coded && !checkedInside) {
                                        violated(
                                                item,
                                                item.getName() + " is an error without a code",
                                                events);
                                    }
                                }));
    }

    static ArchRule untypedErrors() {
        return noClasses()
                .should()
                .callConstructorWhere(
                        DescribedPredicate.describe(
                                "makes an error of no type",
                                (JavaConstructorCall call) ->
                                        UNTYPED_ERRORS.contains(call.getTargetOwner().getName())
                                                && !call.getOriginOwner()
                                                        .isAssignableTo(Throwable.class)));
    }

    /** Libraries neither print nor end the process. */
    static ArchRule process(House house) {
        return noClasses()
                .that(
                        DescribedPredicate.describe(
                                "are no programs",
                                item ->
                                        house.moduleOf(item.getPackageName())
                                                .filter(m -> PROGRAMS.contains(m.name()))
                                                .isEmpty()))
                .should()
                .accessTargetWhere(
                        DescribedPredicate.describe(
                                "prints or ends the process", HouseRules::touchesProcess));
    }

    private static boolean touchesProcess(JavaAccess<?> access) {
        JavaClass owner = access.getTargetOwner();
        String name = access.getName();
        if (owner.isEquivalentTo(System.class)) {
            return Set.of("out", "err", "exit", "setOut", "setErr").contains(name);
        }
        return (owner.isEquivalentTo(Runtime.class) && Set.of("exit", "halt").contains(name))
                || (owner.isAssignableTo(Throwable.class) && name.equals("printStackTrace"))
                || (owner.isEquivalentTo(PrintStream.class) && name.equals("<init>"));
    }

    /** In the engine only the team in tensor has threads. */
    static ArchRule threads(House house) {
        return noClasses()
                .that()
                .resideInAnyPackage(house.packagesIn("engine/", "tensor"))
                .should()
                .dependOnClassesThat(
                        DescribedPredicate.describe(
                                "make threads",
                                type ->
                                        type.getName().equals("java.lang.Thread")
                                                || type.getName().startsWith("java.lang.Thread$")
                                                || type.getName()
                                                        .startsWith("java.util.concurrent.Exec")
                                                || type.getName()
                                                        .startsWith("java.util.concurrent.Fork")));
    }

    /** Native calls and raw addresses have a module of their own. */
    static ArchRule restrictedCalls() {
        return noClasses()
                .that(resideOutsideOfPackage("..kernels.x86.."))
                .should()
                .dependOnClassesThat(
                        resideInAPackage("java.lang.foreign")
                                .and(
                                        DescribedPredicate.describe(
                                                "reach native code",
                                                type ->
                                                        Set.of("Linker", "SymbolLookup")
                                                                .contains(type.getSimpleName()))))
                .orShould()
                .accessTargetWhere(
                        DescribedPredicate.describe(
                                "is MemorySegment.reinterpret",
                                access ->
                                        access.getName().equals("reinterpret")
                                                && access.getTargetOwner()
                                                        .getName()
                                                        .equals(
                                                                "java.lang.foreign.MemorySegment")));
    }

    /** What a rule looks at and reports. */
    private interface Check<T> {
        void check(T item, ConditionEvents events);
    }

    private static <T> ArchCondition<T> condition(String description, Check<T> check) {
        return new ArchCondition<>(description) {
            @Override
            public void check(T item, ConditionEvents events) {
                check.check(item, events);
            }
        };
    }

    private static void violated(Object item, String message, ConditionEvents events) {
        events.add(SimpleConditionEvent.violated(item, message));
    }
}
