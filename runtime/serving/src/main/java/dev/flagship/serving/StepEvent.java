package dev.flagship.serving;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Enabled;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** One step of a model, in a Flight Recorder file. Off until a recording asks for it. */
@Name(StepEvent.NAME)
@Label("Step")
@Description("One pass over the rows of all running sequences, sampling included")
@Category("Flagship")
@Enabled(false)
@StackTrace(false)
final class StepEvent extends Event {
    static final String NAME = "dev.flagship.Step";

    @Label("Rows")
    @Description("Tokens that went in: of prompts, and one of each sequence that decodes")
    int rows;

    @Label("Sequences")
    int sequences;

    @Label("Decoding Sequences")
    int decoding;

    @Label("Failed")
    boolean failed;
}
