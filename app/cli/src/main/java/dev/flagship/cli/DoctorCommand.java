package dev.flagship.cli;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.launch.ModelStore;
import dev.flagship.server.FlagshipServer;
import dev.flagship.serving.LoadOptions;
import java.io.PrintStream;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import tools.jackson.databind.node.ArrayNode;

/** {@code flagship doctor}: whether this machine's best is used. */
@Command(
        name = "doctor",
        description = {
            "Check Java, the processor, the kernels, memory, the store, the hub and the port.",
            "Exits with 1 unless the kernels are the best that this processor has."
        },
        sortOptions = false,
        footer = {
            "",
            "Examples:",
            "  flagship doctor",
            "  flagship doctor --kernels vector   whether those would run, and what is lost"
        })
final class DoctorCommand implements Callable<Integer> {
    private final Context context;

    @Option(
            names = "--kernels",
            paramLabel = "NAME",
            defaultValue = LoadOptions.AUTO,
            description = "Kernels to examine, as for run. Default: ${DEFAULT-VALUE}.")
    private String kernels = LoadOptions.AUTO;

    @Option(names = "--json", description = "A JSON list of the findings.")
    private boolean json;

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
        ModelStore store = StoreOf.context(context);
        List<Finding> findings =
                Doctor.examine(kernels, store.home(), store.hub(), FlagshipServer.DEFAULT_PORT);
        PrintStream out = context.streams().out();
        if (json) {
            ArrayNode list = Json.array();
            for (Finding finding : findings) {
                list.addObject()
                        .put("check", finding.check())
                        .put("verdict", finding.verdict().word())
                        .put("detail", finding.detail());
            }
            Json.print(out, list);
            return Doctor.healthy(findings) ? 0 : Failures.FAILED;
        }
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
