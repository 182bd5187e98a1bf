package dev.flagship.cli;

import dev.flagship.serving.Rungs;
import dev.flagship.tensor.MachineCode;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code flagship kernels}: the machine code that Flagship makes. */
@Command(
        name = "kernels",
        description = "Look at the machine code that Flagship makes.",
        sortOptions = false,
        footer = {"", "Example:", "  flagship kernels dump code"})
@SuppressWarnings("NullAway.Init") // picocli sets the annotated fields
final class KernelsCommand implements Runnable {
    @Spec private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "kernels what? There is kernels dump.");
    }

    /** {@code flagship kernels dump}: a file for each kernel. */
    @Command(
            name = "dump",
            description = {
                "Write each kernel's bytes to a file for a disassembler.",
                "A file's name tells operation, type, tile and instruction set."
            },
            sortOptions = false,
            footer = {
                "",
                "Examples:",
                "  flagship kernels dump code",
                "  objdump -D -b binary -m i386:x86-64 code/*   what is in them"
            })
    static final class Dump implements Callable<Integer> {
        private final Context context;

        @Parameters(
                index = "0",
                arity = "0..1",
                paramLabel = "DIR",
                defaultValue = "flagship-kernels",
                description = "Where to; made if need be. Default: ${DEFAULT-VALUE}.")
        private Path folder = Path.of("flagship-kernels");

        Dump(Context context) {
            this.context = context;
        }

        @Override
        public Integer call() throws IOException {
            List<MachineCode> kernels = Rungs.machineCode();
            if (kernels.isEmpty()) {
                throw new CliException(
                        "no_machine_code", "no rung of this build makes machine code", null);
            }
            Files.createDirectories(folder);
            for (MachineCode kernel : kernels) {
                Files.write(
                        folder.resolve(kernel.name() + ".bin"),
                        kernel.code().toArray(ValueLayout.JAVA_BYTE));
            }
            MachineCode first = kernels.getFirst();
            PrintStream out = context.streams().out();
            out.println("Wrote %d kernels to %s. To read one:".formatted(kernels.size(), folder));
            out.println(
                    "  %s %s"
                            .formatted(
                                    first.disassembler(), folder.resolve(first.name() + ".bin")));
            out.flush();
            return 0;
        }
    }
}
