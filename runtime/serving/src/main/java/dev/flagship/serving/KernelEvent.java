package dev.flagship.serving;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Enabled;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** One operation of the kernels, in a Flight Recorder file. Off until a recording asks for it. */
@Name(KernelEvent.NAME)
@Label("Kernel Operation")
@Description("One operation over the rows of a step")
@Category({"Flagship", "Kernels"})
@Enabled(false)
@StackTrace(false)
final class KernelEvent extends Event {
    static final String NAME = "dev.flagship.KernelOperation";

    @Label("Operation")
    String operation = "";

    @Label("Kernels")
    String rung = "";

    @Label("Weight Type")
    @Description("Type of the weights or of the KV pages; empty where there are none")
    String type = "";

    @Label("Rows")
    @Description("Rows of the operation's input")
    int rows;

    @Label("Bytes")
    @Description("Size of weights, inputs and outputs")
    @DataAmount
    long bytes;
}
