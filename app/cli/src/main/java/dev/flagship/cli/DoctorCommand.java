package dev.flagship.cli;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.launch.ModelStore;
import dev.flagship.server.FlagshipServer;
import dev.flagship.serving.LoadOptions;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code flagship doctor}: whether this machine's best is used. */
@Command(
        name = "doctor",
        description = {
            "Check Java, the processor, the kernels, memory, the store and the port.",
            "Exits with 1 unless the kernels are the best that this processor has."
        },
        sortOptions = false)
final class DoctorCommand implements Callable<Integer> {
    private final Context context;

    @Option(
            names = "--kernels",
            paramLabel = "NAME",
            defaultValue = LoadOptions.AUTO,
            description = "Kernels to examine, as for run. Default: ${DEFAULT-VALUE}.")
    private String kernels = LoadOptions.AUTO;

    @Spec private CommandSpec spec;

    @SuppressWarnings("NullAway.Init") // picocli sets the annotated fields
    DoctorCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        try {
            ModelFlags.checkKernels(kernels);
        } catch (InvalidArgumentException e) {
            throw new ParameterException(spec.commandLine(), e.getMessage(), e);
        }
        Path home = ModelStore.defaultHome(context.environment());
        List<Finding> findings = Doctor.examine(kernels, home, FlagshipServer.DEFAULT_PORT);
        PrintStream out = context.streams().out();
        for (Finding finding : findings) {
            out.println(
                    "%-7s  %-10s  %s"
                            .formatted(
                                    finding.verdict().word(), finding.check(), finding.detail()));
        }
        out.flush();
        return Doctor.healthy(findings) ? 0 : Failures.FAILED;
    }
}
