import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassElement;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassFileVersion;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.MethodModel;
import java.lang.classfile.MethodTransform;
import java.lang.constant.ClassDesc;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;

/**
 * Writes a library's jar with its class files of before Java 6 as those of Java 8, stack maps
 * included (JVMS 4.7.4), and everything else as it is. Java's AOT cache takes no class without them
 * (until JDK 26), and verifies them anew, slowly, at each start.
 *
 * <p>{@code java NewerClasses.java FROM.jar TO.jar}; nothing is left half written.
 */
final class NewerClasses {
    private static final String CLASS = ".class";

    private final Map<String, byte[]> entries = new LinkedHashMap<>();
    private final ClassFile classFile =
            ClassFile.of(
                    ClassFile.StackMapsOption.GENERATE_STACK_MAPS,
                    ClassFile.ClassHierarchyResolverOption.of(
                            ClassHierarchyResolver.ofResourceParsing(this::own)
                                    .orElse(ClassHierarchyResolver.defaultResolver())));

    private NewerClasses(InputStream jar) throws IOException {
        try (var in = new ZipInputStream(jar)) {
            for (ZipEntry e = in.getNextEntry(); e != null; e = in.getNextEntry()) {
                entries.put(e.getName(), in.readAllBytes());
            }
        }
    }

    public static void main(String[] args) throws IOException {
        if (args.length != 2) {
            System.err.println("usage: java NewerClasses.java FROM.jar TO.jar");
            System.exit(2);
        }
        Path to = Path.of(args[1]).toAbsolutePath();
        Path part = Path.of(to + "." + ProcessHandle.current().pid());
        try (InputStream in = Files.newInputStream(Path.of(args[0]));
                OutputStream out = Files.newOutputStream(part)) {
            new NewerClasses(in).write(out);
            Files.move(part, to, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(part);
        }
    }

    /** A class of this jar; null where it has none of that name. */
    private InputStream own(ClassDesc type) {
        String name = type.descriptorString();
        byte[] bytes = entries.get(name.substring(1, name.length() - 1) + CLASS);
        return bytes == null ? null : new ByteArrayInputStream(bytes);
    }

    private void write(OutputStream to) throws IOException {
        try (var out = new ZipOutputStream(to)) {
            out.setLevel(0); // a start would unpack them
            for (Map.Entry<String, byte[]> e : entries.entrySet()) {
                out.putNextEntry(new ZipEntry(e.getKey()));
                out.write(e.getKey().endsWith(CLASS) ? newer(e.getValue()) : e.getValue());
                out.closeEntry();
            }
        }
    }

    private byte[] newer(byte[] bytes) {
        ClassModel model = classFile.parse(bytes);
        return model.majorVersion() >= ClassFile.JAVA_6_VERSION
                ? bytes
                : classFile.transformClass(model, (ClassTransform) NewerClasses::element);
    }

    /** Code is written anew, which is what makes its stack maps. */
    private static void element(ClassBuilder builder, ClassElement element) {
        switch (element) {
            case ClassFileVersion _ -> builder.withVersion(ClassFile.JAVA_8_VERSION, 0);
            case MethodModel method when method.code().isPresent() ->
                    builder.transformMethod(
                            method, MethodTransform.transformingCode(CodeBuilder::with));
            default -> builder.with(element);
        }
    }
}
