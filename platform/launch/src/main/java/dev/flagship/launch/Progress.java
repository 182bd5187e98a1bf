package dev.flagship.launch;

/** Hears how a fetch goes, on the thread that fetches. Whoever draws decides how often. */
public interface Progress {
    /** Nobody listens. */
    Progress NONE =
            new Progress() {
                @Override
                public void stage(String text) {}

                @Override
                public void bytes(long done, long total) {}
            };

    /** A new stage begins: one short sentence for a person, without a full stop. */
    void stage(String text);

    /** Bytes of the current stage, {@code 0 <= done <= total}. */
    void bytes(long done, long total);
}
