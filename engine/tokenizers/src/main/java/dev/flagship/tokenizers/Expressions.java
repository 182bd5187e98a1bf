package dev.flagship.tokenizers;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntPredicate;

/**
 * The published expressions of LLaMA and its look-alikes, each with the scanner that does the same.
 * A {@code tokenizer.json} has them by their text, GGUF by the name of a model.
 */
final class Expressions {
    /**
     * Signs and letters that DeepSeek's first models keep apart; letters with case, of Unicode 11.
     */
    private static final String LETTERS =
            "A-Za-z\u00B5\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u01BA\u01BC-\u01BF\u01C4-\u0293\u0295-"
                    + "\u02AF\u0370-\u0373\u0376\u0377\u037B-\u037D\u037F\u0386\u0388-\u038A\u038C\u038E-"
                    + "\u03A1\u03A3-\u03F5\u03F7-\u0481\u048A-\u052F\u0531-\u0556\u10A0-\u10C5\u13A0-\u13F5"
                    + "\u13F8-\u13FD\u1C90-\u1CBA\u1CBD-\u1CBF\u1D00-\u1D2B\u1D6B-\u1D77\u1D79-\u1D9A\u1E00"
                    + "-\u1F15\u1F18-\u1F1D\u1F20-\u1F45\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B\u1F5D\u1F5F-"
                    + "\u1F7D\u1F80-\u1FB4\u1FB6-\u1FBC\u1FBE\u1FC2-\u1FC4\u1FC6-\u1FCC\u1FD0-\u1FD3\u1FD6-"
                    + "\u1FDB\u1FE0-\u1FEC\u1FF2-\u1FF4\u1FF6-\u1FFC\u2102\u2107\u210A-\u2113\u2115\u2119-"
                    + "\u211D\u2124\u2126\u2128\u212A-\u212D\u212F-\u2134\u2139\u213C-\u213F\u2145-\u2149"
                    + "\u214E\u2183\u2184\u2C00-\u2C7B\u2C7E-\u2CE4\u2CEB-\u2CEE\u2CF2\u2CF3\uA640-\uA66D"
                    + "\uA680-\uA69B\uA722-\uA76F\uA771-\uA787\uA78B-\uA78E\uAB70-\uABBF\uFB00-\uFB06\uFB13"
                    + "-\uFB17\uFF21-\uFF3A\uFF41-\uFF5A\uD801\uDC00-\uD801\uDC4F\uD801\uDCB0-\uD801\uDCD3"
                    + "\uD801\uDCD8-\uD801\uDCFB\uD803\uDC80-\uD803\uDCB2\uD803\uDCC0-\uD803\uDCF2"
                    + "\uD806\uDCA0-\uD806\uDCDF\uD83A\uDD00-\uD83A\uDD43";

    private static final String PUNCTUATION =
            "!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002";
    private static final String HAN = "\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF";
    private static final String BLOOM_STOPS = "|.,!?\u2026\u3002\uFF0C\u3001\u0964\u06D4\u060C)";

    private static final String LLAMA3 =
            "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
                    + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String SEED_CODER =
            "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}"
                    + "| ?[^\\s\\p{L}\\p{N}\\r\\n]+|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String LOWER_WORD =
            "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+";
    private static final String UPPER_WORD =
            "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*";
    private static final String REST =
            "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?";

    private static final PreTokenizer LLAMA3_PIECES = new PreTokenizer.Llama3();
    private static final PreTokenizer QWEN2_PIECES =
            new PreTokenizer.Llama3(Scan.Contractions.ANY_CASE, 1, true);
    private static final PreTokenizer SEED_CODER_PIECES =
            new PreTokenizer.Llama3(Scan.Contractions.ANY_ASCII_CASE, 1, false);
    private static final PreTokenizer TEKKEN_PIECES = new PreTokenizer.Cased(false, 1);
    private static final PreTokenizer GPT_4O_PIECES = new PreTokenizer.Cased(true, 3);
    private static final PreTokenizer NUMBERS = runs(Scan::isNumber, Integer.MAX_VALUE);
    private static final PreTokenizer NUMBER = runs(Scan::isNumber, 1);
    static final PreTokenizer NEWLINE = runs(c -> c == '\r' || c == '\n', 1);

    /** Its {@code $} is the end of a piece only where newlines are pieces of their own. */
    static final String TRAILING_SPACES = "\\s+$";

    private static final PreTokenizer LETTER_RUNS = led(in(LETTERS));
    private static final PreTokenizer PUNCTUATION_RUNS = led(in(PUNCTUATION));
    private static final PreTokenizer LETTER_CATEGORY = led(Scan::isLetter);
    private static final PreTokenizer PUNCTUATION_CATEGORY = led(Scan::isPunctuation);
    private static final PreTokenizer HAN_RUNS = runs(in(HAN), Integer.MAX_VALUE);
    private static final PreTokenizer BLOOM_PIECES =
            new PreTokenizer.Runs(
                    in(BLOOM_STOPS).or(c -> c == '(' || Scan.isSpace(c)).negate(),
                    PreTokenizer.Lead.BLANK,
                    Integer.MAX_VALUE);

    /** Those that match every character. */
    private static final Map<String, PreTokenizer> WHOLE =
            Map.of(
                    PreTokenizer.Gpt2.EXPRESSION,
                    new PreTokenizer.Gpt2(),
                    LLAMA3,
                    LLAMA3_PIECES,
                    LLAMA3.replace("{1,3}", ""),
                    QWEN2_PIECES,
                    LLAMA3.replace("{1,3}", "{1}"),
                    QWEN2_PIECES,
                    SEED_CODER,
                    SEED_CODER_PIECES,
                    LOWER_WORD + "|" + UPPER_WORD + "|\\p{N}" + REST,
                    TEKKEN_PIECES,
                    LOWER_WORD
                            + CONTRACTION
                            + "|"
                            + UPPER_WORD
                            + CONTRACTION
                            + "|\\p{N}{1,3}"
                            + REST,
                    GPT_4O_PIECES);

    /** Those that leave characters between their matches. */
    private static final Map<String, PreTokenizer> PARTIAL =
            Map.ofEntries(
                    Map.entry("\\p{N}", NUMBER),
                    Map.entry("\\p{N}+", NUMBERS),
                    Map.entry("[\r\n]", NEWLINE),
                    Map.entry("[\\r\\n]", NEWLINE),
                    Map.entry("\\s?[" + LETTERS + "]+", LETTER_RUNS),
                    Map.entry("\\s?[" + PUNCTUATION + "]+", PUNCTUATION_RUNS),
                    Map.entry("\\s?\\p{L}+", LETTER_CATEGORY),
                    Map.entry("\\s?\\p{P}+", PUNCTUATION_CATEGORY),
                    Map.entry("[" + HAN + "]+", HAN_RUNS),
                    Map.entry(" ?[^(\\s" + BLOOM_STOPS + "]+", BLOOM_PIECES),
                    Map.entry(TRAILING_SPACES, new PreTokenizer.TrailingSpaces()));

    /**
     * Pieces of a model in GGUF, with the merge rule that comes with them.
     *
     * @param ignoreMerges whether a piece that is a token as a whole becomes it
     * @param addsBos whether texts begin with a token where the file does not say
     */
    record Pieces(PreTokenizer preTokenizer, boolean ignoreMerges, boolean addsBos) {
        private Pieces(PreTokenizer preTokenizer) {
            this(preTokenizer, false, false);
        }
    }

    private static final Map<String, Pieces> BY_NAME = byName();

    /** Of names that mean the same, those of the models that had them first. */
    private static final List<String> USUAL =
            List.of(
                    "llama-bpe",
                    "smaug-bpe",
                    "gpt-2",
                    "smollm",
                    "qwen2",
                    "seed-coder",
                    "tekken",
                    "gpt-4o",
                    "bloom",
                    "viking",
                    "deepseek-llm",
                    "deepseek-coder");

    private Expressions() {}

    private static Map<String, Pieces> byName() {
        Map<String, Pieces> pieces = new HashMap<>();
        PreTokenizer gpt2 = new PreTokenizer.Gpt2();
        put(
                pieces,
                new Pieces(LLAMA3_PIECES, true, true),
                "llama-bpe llama3 llama-v3 falcon3 falcon-h1 midm-2.0 lfm2");
        put(pieces, new Pieces(LLAMA3_PIECES, true, false), "glm4");
        put(pieces, new Pieces(LLAMA3_PIECES), "dbrx smaug-bpe chatglm-bpe");
        put(
                pieces,
                new Pieces(gpt2),
                "gpt-2 phi-2 mpt olmo jais trillion granite-docling gigachat mellum");
        put(
                pieces,
                new Pieces(sequence(new PreTokenizer.Digits(true), gpt2)),
                "smollm starcoder refact command-r codeshell exaone minerva-7b");
        put(
                pieces,
                new Pieces(QWEN2_PIECES),
                "qwen2 stablelm2 megrez hunyuan deepseek-r1-qwen kormo");
        put(pieces, new Pieces(SEED_CODER_PIECES), "seed-coder");
        put(pieces, new Pieces(TEKKEN_PIECES, true, true), "tekken");
        put(pieces, new Pieces(GPT_4O_PIECES), "gpt-4o llama4");
        put(pieces, new Pieces(BLOOM_PIECES), "bloom poro-chat gpt3-finnish");
        put(pieces, new Pieces(sequence(BLOOM_PIECES, NUMBER)), "viking");
        put(
                pieces,
                new Pieces(
                        sequence(
                                NEWLINE,
                                LETTER_RUNS,
                                PUNCTUATION_RUNS,
                                new PreTokenizer.TrailingSpaces(),
                                HAN_RUNS,
                                NUMBERS)),
                "deepseek-llm");
        put(
                pieces,
                new Pieces(
                        sequence(NEWLINE, LETTER_CATEGORY, PUNCTUATION_CATEGORY, HAN_RUNS, NUMBER)),
                "deepseek-coder");
        IntPredicate signs = c -> Scan.isPunctuation(c) || "$+<=>^~|".indexOf(c) >= 0;
        put(
                pieces,
                new Pieces(
                        sequence(
                                runs(signs, Integer.MAX_VALUE),
                                gpt2,
                                NUMBERS,
                                new PreTokenizer.Triples())),
                "default");
        return Map.copyOf(pieces);
    }

    private static void put(Map<String, Pieces> all, Pieces pieces, String names) {
        for (String name : names.split(" ", -1)) {
            all.put(name, pieces);
        }
    }

    private static PreTokenizer sequence(PreTokenizer... steps) {
        return new PreTokenizer.Sequence(List.of(steps));
    }

    private static PreTokenizer runs(IntPredicate characters, int most) {
        return new PreTokenizer.Runs(characters, PreTokenizer.Lead.NOTHING, most);
    }

    private static PreTokenizer led(IntPredicate characters) {
        return new PreTokenizer.Runs(characters, PreTokenizer.Lead.SPACE, Integer.MAX_VALUE);
    }

    /** A class as an expression writes it between brackets: characters and ranges. */
    private static IntPredicate in(String brackets) {
        int[] points = brackets.codePoints().toArray();
        int[] firsts = new int[points.length];
        int[] lasts = new int[points.length];
        int n = 0;
        for (int i = 0; i < points.length; n++) {
            boolean range = i + 2 < points.length && points[i + 1] == '-';
            firsts[n] = points[i];
            lasts[n] = points[range ? i + 2 : i];
            i += range ? 3 : 1;
        }
        return within(Arrays.copyOf(firsts, n), Arrays.copyOf(lasts, n));
    }

    private static IntPredicate within(int[] firsts, int[] lasts) {
        return c -> {
            for (int i = 0; i < firsts.length; i++) {
                if (c >= firsts[i] && c <= lasts[i]) {
                    return true;
                }
            }
            return false;
        };
    }

    /**
     * The scanner of an expression of {@code tokenizer.json}.
     *
     * @param onlyMatches whether what lies between matches is not kept
     */
    static Optional<PreTokenizer> scanner(String expression, boolean onlyMatches) {
        PreTokenizer whole = WHOLE.get(expression);
        return Optional.ofNullable(whole != null || onlyMatches ? whole : PARTIAL.get(expression));
    }

    /** The pieces of a model of GGUF's list ({@code tokenizer.ggml.pre}). */
    static Optional<Pieces> named(String name) {
        return Optional.ofNullable(BY_NAME.get(name));
    }

    /**
     * GGUF's usual name for pieces; empty if it has none.
     *
     * @param ignoreMerges whether a piece that is a token as a whole becomes it
     */
    static Optional<String> nameOf(PreTokenizer preTokenizer, boolean ignoreMerges) {
        return nameOf(preTokenizer, ignoreMerges, NUMBERS);
    }

    /**
     * As {@link #nameOf(PreTokenizer, boolean)} for a vocabulary none of whose tokens has two
     * numbers beside each other, so that runs of numbers and single ones give the same tokens.
     */
    static Optional<String> nameWhereNumbersStandAlone(
            PreTokenizer preTokenizer, boolean ignoreMerges) {
        return nameOf(preTokenizer, ignoreMerges, NUMBER);
    }

    private static Optional<String> nameOf(
            PreTokenizer preTokenizer, boolean ignoreMerges, PreTokenizer numbers) {
        PreTokenizer wanted = spelled(preTokenizer, numbers);
        return USUAL.stream()
                .filter(name -> {
                    Pieces pieces = BY_NAME.get(name);
                    return pieces != null
                            && spelled(pieces.preTokenizer, numbers).equals(wanted)
                            && pieces.ignoreMerges == ignoreMerges;
                })
                .findFirst();
    }

    /**
     * With one spelling for numbers one by one, a step or an expression, and one for their runs.
     */
    private static PreTokenizer spelled(PreTokenizer preTokenizer, PreTokenizer numbers) {
        if (preTokenizer instanceof PreTokenizer.Sequence(var steps)) {
            return new PreTokenizer.Sequence(
                    steps.stream().map(step -> spelled(step, numbers)).toList());
        }
        boolean runs =
                preTokenizer.equals(NUMBERS) || preTokenizer.equals(new PreTokenizer.Digits(false));
        boolean single = preTokenizer.equals(new PreTokenizer.Digits(true));
        return runs ? numbers : single ? NUMBER : preTokenizer;
    }

    /** All names, in order. */
    static List<String> names() {
        return BY_NAME.keySet().stream().sorted().toList();
    }
}
