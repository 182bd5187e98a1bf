package dev.flagship.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** Lines as proc(5) describes them. */
class ProcessorTimesTest {

    private static ProcessorTimes times(String line, long own) {
        return ProcessorTimes.parse(line, own).orElseThrow();
    }

    @Test
    void idleWaitingAndStolenTimeIsNotBusyAndGuestsAreNotCountedTwice() {
        //                            user nice sys idle iowait irq softirq steal guest guest_nice
        ProcessorTimes times = times("cpu  100 10 30 800 20 3 7 30 50 5", 12);
        assertThat(times).isEqualTo(new ProcessorTimes(1000, 150, 30, 12));
    }

    @Test
    void othersAreWhatIsBusyAndNotOwn() {
        ProcessorTimes before = times("cpu  100 0 0 900 0 0 0 0 0 0", 40);
        ProcessorTimes after = times("cpu  160 0 20 1010 0 0 0 10 0 0", 90);
        assertThat(after.othersSince(before)).isCloseTo(30 / 200.0, within(1e-9));
        assertThat(after.stolenSince(before)).isCloseTo(10 / 200.0, within(1e-9));
    }

    @Test
    void ticksThatWereCountedLateAreNotNegativeOthers() {
        ProcessorTimes before = times("cpu  100 0 0 900 0 0 0 0", 0);
        ProcessorTimes after = times("cpu  110 0 0 990 0 0 0 0", 15);
        assertThat(after.othersSince(before)).isZero();
        assertThat(before.othersSince(before)).isZero();
    }

    @Test
    void anythingElseIsNoTime() {
        assertThat(ProcessorTimes.parse("cpu0 1 2 3 4 5 6 7 8", 0)).isEmpty();
        assertThat(ProcessorTimes.parse("cpu 1 2 3", 0)).isEmpty();
    }

    @Test
    void aProcessCountsItselfAndItsEndedChildrenThoughItsNameIsOdd() {
        String stat =
                "4711 (a) b (c) R 1 2 3 4 5 6 7 8 9 10 500 70 30 2 20 0 12 0 999 1000 200 18446744073709551615";
        assertThat(ProcessorTimes.ownTicks(stat)).isEqualTo(OptionalLong.of(602));
        assertThat(ProcessorTimes.ownTicks("4711 (x) R 1 2")).isEmpty();
    }
}
