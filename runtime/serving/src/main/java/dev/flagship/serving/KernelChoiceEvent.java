package dev.flagship.serving;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/**
 * The choice of kernels for a model, in a Flight Recorder file: assembling them and trying them are
 * its duration.
 */
@Name(KernelChoiceEvent.NAME)
@Label("Kernel Choice")
@Description("Choosing, assembling and trying the kernels of a model")
@Category({"Flagship", "Kernels"})
@StackTrace(false)
final class KernelChoiceEvent extends Event {
    static final String NAME = "dev.flagship.KernelChoice";

    @Label("Asked For")
    String asked = "";

    @Label("Kernels")
    String rung = "";

    @Label("Shortfalls")
    @Description("What could not run or failed its self-test, a sentence each; empty if all passed")
    String shortfalls = "";
}
