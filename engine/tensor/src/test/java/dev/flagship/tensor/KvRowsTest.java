package dev.flagship.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.base.InvalidArgumentException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Test;

class KvRowsTest {
    private static final KvLayout LAYOUT = new KvLayout(2, 3, 20, DType.F16);

    private static KvRows rows() {
        return new KvRows(LAYOUT, MemorySegment.NULL);
    }

    private static String tiles(KvRows rows) {
        StringBuilder text = new StringBuilder();
        for (int t = 0; t < rows.tiles(); t++) {
            text.append('[').append(rows.tileStart(t)).append(' ').append(rows.tileEnd(t));
            text.append(']');
        }
        return text.toString();
    }

    @Test
    void neighboursOfOneSequenceShareTilesOfSixteen() {
        KvRows rows = rows();
        int[] table = {5, 4, 3};
        for (int p = 0; p < 40; p++) {
            rows.add(table, p);
        }
        assertThat(tiles(rows)).isEqualTo("[0 16][16 32][32 40]");
        assertThat(rows.count()).isEqualTo(40);
        assertThat(rows.lastPosition()).isEqualTo(39);
        assertThat(rows.page(0, 17)).isEqualTo(4);
        assertThat(rows.position(33)).isEqualTo(33);
    }

    @Test
    void anotherSequenceOrAGapBeginsATile() {
        KvRows rows = rows();
        int[] a = {0, 1};
        int[] b = {0, 1}; // same pages, another sequence
        rows.add(a, 3);
        rows.add(a, 4);
        rows.add(b, 5);
        rows.add(b, 7);
        rows.add(b, 6);
        assertThat(tiles(rows)).isEqualTo("[0 2][2 3][3 4][4 5]");
        assertThat(rows.lastPosition()).isEqualTo(7);
    }

    @Test
    void clearForgetsEverything() {
        KvRows rows = rows();
        int[] table = {0};
        rows.add(table, 0);
        rows.clear();
        assertThat(rows.count()).isZero();
        assertThat(rows.tiles()).isZero();
        assertThat(rows.lastPosition()).isEqualTo(-1);
        rows.add(table, 1);
        assertThat(tiles(rows)).isEqualTo("[0 1]");
    }

    @Test
    void theLayoutsBlocksTileThePageWithoutOverlap() {
        for (KvLayout layout : List.of(LAYOUT, new KvLayout(2, 3, 96, DType.Q8_0))) {
            boolean[] covered = new boolean[Math.toIntExact(2 * layout.pageBytes())];
            for (int page = 0; page < 2; page++) {
                for (int layer = 0; layer < 2; layer++) {
                    for (int head = 0; head < 3; head++) {
                        for (long from :
                                new long[] {
                                    layout.keys(page, layer, head), layout.values(page, layer, head)
                                }) {
                            for (long i = from; i < from + layout.blockBytes(); i++) {
                                assertThat(covered[(int) i]).isFalse();
                                covered[(int) i] = true;
                            }
                        }
                    }
                }
            }
            assertThat(covered).doesNotContain(false);
        }
        assertThat(LAYOUT.bytesPerToken()).isEqualTo(2 * 2 * 3 * 20 * 2);
    }

    /** SmolLM2's shape: 22.5 KiB a token in F16, and 17/32 of it. */
    @Test
    void eightBitsTakeOneByteANumberAndTwoForEach32() {
        assertThat(new KvLayout(30, 3, 64, DType.F16).bytesPerToken()).isEqualTo(23_040);
        KvLayout layout = new KvLayout(30, 3, 64, DType.Q8_0);
        assertThat(layout.bytesPerToken()).isEqualTo(30 * 3 * 2 * (64 + 4));
        assertThat(layout.scalesOffset()).isEqualTo(64 * 16);
    }

    @Test
    void largePoolsDoNotOverflow() {
        KvLayout layout = new KvLayout(80, 8, 128, DType.F32);
        assertThat(layout.keys(200_000, 79, 7)).isGreaterThan(1L << 40);
    }

    @Test
    void onlyWhatAttentionReadsIsCached() {
        assertThatThrownBy(() -> new KvLayout(1, 1, 32, DType.Q4_0))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("Q4_0");
        assertThatThrownBy(() -> new KvLayout(0, 1, 8, DType.F32))
                .isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void headsThatScalesDoNotDivideAreRefusedWithARemedy() {
        assertThatThrownBy(() -> new KvLayout(1, 1, 80, DType.Q8_0))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("80")
                .hasMessageContaining("use F16");
        assertThat(KvLayout.takes(80, DType.Q8_0)).isFalse();
        assertThat(KvLayout.takes(80, DType.F16)).isTrue();
        assertThat(KvLayout.takes(96, DType.Q8_0)).isTrue();
    }
}
