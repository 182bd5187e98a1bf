package dev.flagship.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.BitSet;
import java.util.function.IntPredicate;
import org.junit.jupiter.api.Test;

/** Character classes against those of the tokenizers library, for every code point. */
class ScanTest {

    private static BitSet ours(IntPredicate kind) {
        BitSet set = new BitSet();
        for (int c = 0; c <= Character.MAX_CODE_POINT; c++) {
            boolean surrogate = c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE;
            if (!surrogate && kind.test(c)) {
                set.set(c);
            }
        }
        return set;
    }

    private static BitSet ranges(TemplateValue golden, String name) {
        BitSet set = new BitSet();
        int[] bounds = Goldens.ids(Goldens.field(golden, name));
        for (int i = 0; i < bounds.length; i += 2) {
            set.set(bounds[i], bounds[i + 1] + 1);
        }
        return set;
    }

    @Test
    void classesEqualTheReferenceForEveryCodePoint() throws IOException {
        TemplateValue golden = Goldens.json(Goldens.open("classes.json.gz"));
        BitSet digits = new BitSet();
        for (int c : Goldens.ids(Goldens.field(golden, "digits"))) {
            digits.set(c);
        }

        assertThat(ours(Scan::isLetter)).isEqualTo(ranges(golden, "letters"));
        assertThat(ours(Scan::isNumber)).isEqualTo(ranges(golden, "numbers"));
        assertThat(ours(Scan::isSpace)).isEqualTo(ranges(golden, "spaces"));
        assertThat(ours(Scan::isDigit)).isEqualTo(digits);
        TemplateValue added = Goldens.json(Goldens.open("added.golden.json.gz"));
        assertThat(ours(Scan::isWord)).isEqualTo(ranges(added, "words"));
    }
}
