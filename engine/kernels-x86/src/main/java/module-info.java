/** The x86-64 rung: the only module that makes and calls machine code. */
@SuppressWarnings("module") // the digits in its name are those of the architecture
module dev.flagship.kernels.x86 {
    requires dev.flagship.tensor;

    uses dev.flagship.tensor.KernelsProvider;

    provides dev.flagship.tensor.KernelsProvider with
            dev.flagship.kernels.x86.X86KernelsProvider;
}
