package dev.flagship.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Vocabularies whose tokens or merges are chosen to meet in one slot of a hash table. */
@Timeout(60)
class CollisionTest {
    /** 2^64 divided by the golden ratio: the multiplier that everybody uses. */
    private static final long GOLDEN = 0x9E3779B97F4A7C15L;

    private static int fnv1a(int hash, byte[] bytes) {
        for (byte b : bytes) {
            hash = (hash ^ b) * 0x01000193;
        }
        return hash;
    }

    /**
     * 2^{@code doublings} strings of equal length and equal FNV-1a: each further block of four
     * bytes may be either of two that lead from one state to the same next (Joux, 2004).
     */
    private static String[] sameFnv1a(int doublings, SplittableRandom random) {
        String[] strings = {""};
        int state = 0x811C9DC5;
        for (int i = 0; i < doublings; i++) {
            Map<Integer, String> seen = new HashMap<>();
            while (true) {
                byte[] block = new byte[4];
                for (int j = 0; j < block.length; j++) {
                    block[j] = (byte) random.nextInt('!', '~' + 1);
                }
                String text = new String(block, StandardCharsets.US_ASCII);
                int next = fnv1a(state, block);
                String twin = seen.put(next, text);
                if (twin != null && !twin.equals(text)) {
                    String[] doubled = new String[2 * strings.length];
                    for (int j = 0; j < strings.length; j++) {
                        doubled[2 * j] = strings[j] + twin;
                        doubled[2 * j + 1] = strings[j] + text;
                    }
                    strings = doubled;
                    state = next;
                    break;
                }
            }
        }
        return strings;
    }

    /** They would all share a slot of a table that FNV-1a fills, but not one of ours. */
    @Test
    void tokensOfOneFnvHashLoadLikeAnyOthers() {
        long seed = Seeds.seed();
        SplittableRandom random = new SplittableRandom(seed);
        String[] tokens = sameFnv1a(17, random);
        assertThat(
                        Arrays.stream(tokens)
                                .mapToInt(t ->
                                        fnv1a(0x811C9DC5, t.getBytes(StandardCharsets.US_ASCII)))
                                .distinct())
                .as("seed %s", seed)
                .hasSize(1);
        int[] drawn = {0};
        ByteVocabulary vocabulary =
                new ByteVocabulary(
                        tokens.length,
                        1_000,
                        () -> {
                            drawn[0]++;
                            return random.nextLong();
                        });
        for (int id = 0; id < tokens.length; id++) {
            byte[] token = tokens[id].getBytes(StandardCharsets.US_ASCII);
            assertThat(vocabulary.add(id, token, token.length)).isEqualTo(-1);
        }
        assertThat(drawn[0]).as("numbers drawn: no slot was crowded, seed %s", seed).isEqualTo(2);

        int[] types = new int[tokens.length];
        Arrays.fill(types, 1);
        BpeTokenizer tokenizer =
                BpeTokenizer.fromGguf(
                        tokens, types, new String[0], "llama-bpe", BpeTokenizer.TextEnds.none());
        for (int id = 0; id < tokens.length; id += 1_000) {
            assertThat(tokenizer.id(tokens[id])).hasValue(id);
        }
    }

    /** Pairs i/multiplier modulo 2^64, whose product with the multiplier is i: all in slot 0. */
    private static int[][] sameSlot(int count) {
        long inverse = GOLDEN;
        for (int i = 0; i < 5; i++) { // Newton's method doubles the right bits
            inverse *= 2 - GOLDEN * inverse;
        }
        int[][] pairs = new int[count][];
        long product = 0;
        for (int i = 0; i < count; i++) {
            long key;
            do {
                key = ++product * inverse;
            } while (key < 0 || (int) key < 0);
            pairs[i] = new int[] {(int) (key >>> 32), (int) key};
        }
        return pairs;
    }

    private static void putAll(MergeTable table, int[][] pairs) {
        for (int rank = 0; rank < pairs.length; rank++) {
            table.put(pairs[rank][0], pairs[rank][1], rank, rank);
        }
    }

    @Test
    void mergesThatMeetUnderEveryNumberDrawnAreRefused() {
        MergeTable table = new MergeTable(1_000, () -> GOLDEN);
        assertThatThrownBy(() -> putAll(table, sameSlot(1_000)))
                .isInstanceOf(TokenizerException.class)
                .hasMessageContaining("more than 64 of 65 merges share one of 2048 slots, 16 times")
                .hasMessageContaining("Use another file");
    }

    @Test
    void mergesThatMeetUnderOneNumberAreLinkedUnderAnother() {
        int[][] pairs = sameSlot(20_000);
        int[] drawn = {0};
        long seed = Seeds.seed();
        SplittableRandom random = new SplittableRandom(seed);
        MergeTable table =
                new MergeTable(pairs.length, () -> drawn[0]++ == 0 ? GOLDEN : random.nextLong());
        putAll(table, pairs);
        assertThat(drawn[0]).as("draws, seed %s", seed).isBetween(2, MergeTable.MOST_DRAWS);
        for (int rank = 0; rank < pairs.length; rank++) {
            assertThat(table.rank(pairs[rank][0], pairs[rank][1])).isEqualTo(rank);
            assertThat(table.result(pairs[rank][0], pairs[rank][1], rank)).isEqualTo(rank);
        }
        assertThat(table.rank(1, 1)).isEqualTo(MergeTable.NONE);
    }

    @Test
    void aLaterMergeOfAPairReplacesTheEarlierAlsoAfterANewDraw() {
        int[][] pairs = sameSlot(70);
        int[] drawn = {0};
        MergeTable table = new MergeTable(72, () -> drawn[0]++ == 0 ? GOLDEN : 0xD1342543DE82EF95L);
        table.put(7, 8, 0, 100);
        table.put(7, 8, 1, 101);
        assertThat(table.rank(7, 8)).isEqualTo(1);
        for (int i = 0; i < pairs.length; i++) {
            table.put(pairs[i][0], pairs[i][1], 2 + i, i);
        }
        assertThat(drawn[0]).isEqualTo(2);
        assertThat(table.rank(7, 8)).isEqualTo(1);
        assertThat(table.rank(pairs[69][0], pairs[69][1])).isEqualTo(71);
    }

    /**
     * Six random bytes each, which point and multiplier 1 leave in slot 0: only high bits pick it.
     */
    private static byte[][] sameSlotTokens(int count) {
        byte[][] tokens = new byte[count][6];
        SplittableRandom random = new SplittableRandom(1);
        for (byte[] token : tokens) {
            random.nextBytes(token);
        }
        return tokens;
    }

    @Test
    void tokensThatMeetUnderEveryNumberDrawnAreRefused() {
        byte[][] tokens = sameSlotTokens(100);
        ByteVocabulary vocabulary = new ByteVocabulary(100, 1_000, () -> 1);
        assertThatThrownBy(
                        () -> {
                            for (int id = 0; id < tokens.length; id++) {
                                vocabulary.add(id, tokens[id], tokens[id].length);
                            }
                        })
                .isInstanceOf(TokenizerException.class)
                .hasMessageContaining("more than 64 of 65 tokens share one of 256 slots, 16 times");
    }

    @Test
    void tokensThatMeetUnderOneNumberAreLinkedUnderAnother() {
        byte[][] tokens = sameSlotTokens(5_000);
        int[] drawn = {0};
        long seed = Seeds.seed();
        SplittableRandom random = new SplittableRandom(seed);
        ByteVocabulary vocabulary =
                new ByteVocabulary(10_000, 10, () -> drawn[0]++ < 2 ? 1 : random.nextLong());
        for (int i = 0; i < tokens.length; i++) {
            assertThat(vocabulary.add(2 * i, tokens[i], 6)).isEqualTo(-1);
        }
        assertThat(drawn[0]).as("numbers drawn, seed %s", seed).isGreaterThan(2);
        for (int i = 0; i < tokens.length; i++) {
            assertThat(vocabulary.id(tokens[i], 0, 6)).isEqualTo(2 * i);
            assertThat(vocabulary.id(tokens[i], 0, 5)).isEqualTo(-1);
        }
        assertThat(vocabulary.add(9_999, tokens[7], 6)).isEqualTo(14);
    }

    @Test
    void bytesOfEveryLengthKeepTheirIds() {
        long seed = Seeds.seed();
        SplittableRandom random = new SplittableRandom(seed);
        ByteVocabulary vocabulary = new ByteVocabulary(200, 16);
        // Zeros beside zeros of another length, and all bits set: what a sloppy digit would mix up.
        byte[] zeros = new byte[100];
        byte[] ones = new byte[100];
        Arrays.fill(ones, (byte) 0xFF);
        byte[] framed = new byte[300];
        random.nextBytes(framed);
        for (int length = 1; length <= 100; length++) {
            assertThat(vocabulary.add(2 * length - 2, zeros, length)).isEqualTo(-1);
            assertThat(vocabulary.add(2 * length - 1, ones, length)).isEqualTo(-1);
        }
        for (int length = 1; length <= 100; length++) {
            System.arraycopy(ones, 0, framed, 100, length);
            assertThat(vocabulary.id(framed, 100, 100 + length)).isEqualTo(2 * length - 1);
            assertThat(vocabulary.id(zeros, 100 - length, 100)).isEqualTo(2 * length - 2);
        }
    }
}
