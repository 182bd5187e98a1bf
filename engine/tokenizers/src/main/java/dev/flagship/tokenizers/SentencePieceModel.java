package dev.flagship.tokenizers;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;

/**
 * Reads a {@code tokenizer.model} of SentencePiece (its {@code sentencepiece_model.proto}): a
 * vocabulary with scores, and what to do with spaces. BPE without normalisation is implemented,
 * which is what LLaMA and its look-alikes have.
 */
final class SentencePieceModel {
    private static final String NAME = "tokenizer.model";
    private static final int MOST_TOKENS = 1 << 22;
    private static final int UNIGRAM = 1;
    private static final int BPE = 2;

    private final TokenizerConfig config;
    private final List<String> pieces = new ArrayList<>();
    private final List<BpeModel.Kind> kinds = new ArrayList<>();
    private float[] scores = new float[1 << 15];
    // The specification's defaults.
    private long modelType = UNIGRAM;
    private int unknown = -1;
    private long bos = 1;
    private long eos = 2;
    private boolean suffixes;
    private boolean addsSpace = true;
    private boolean collapsesSpaces = true;
    private boolean escapesSpaces = true;
    private boolean normalizes;

    SentencePieceModel(TokenizerConfig config) {
        this.config = config;
    }

    BpeTokenizer read(byte[] file) {
        Protobuf model = new Protobuf(file, NAME);
        while (model.next()) {
            switch (model.field()) {
                case 1 -> piece(model.message());
                case 2 -> trainer(model.message());
                case 3 -> normalizer(model.message());
                case 5 -> denormalizer(model.message());
                default -> model.skip();
            }
        }
        return build();
    }

    private void piece(Protobuf in) {
        String piece = "";
        float score = 0;
        long type = 1;
        while (in.next()) {
            switch (in.field()) {
                case 1 -> piece = in.text();
                case 2 -> score = in.real();
                case 3 -> type = in.number();
                default -> in.skip();
            }
        }
        int id = pieces.size();
        if (piece.isEmpty() || id == MOST_TOKENS) {
            throw TokenizerException.invalid(
                    "%s: piece %d is empty, or there are more than %d", NAME, id, MOST_TOKENS);
        }
        if (id == scores.length) {
            scores = Arrays.copyOf(scores, 2 * id);
        }
        if (type == 2 && unknown < 0) {
            unknown = id;
        }
        scores[id] = score;
        pieces.add(piece);
        kinds.add(kind(id, type));
    }

    private static BpeModel.Kind kind(int id, long type) {
        return switch (Math.clamp(type, 0, 7)) {
            case 1 -> BpeModel.Kind.NORMAL;
            case 2, 3 -> BpeModel.Kind.CONTROL;
            case 4 -> BpeModel.Kind.ADDED;
            case 5 -> BpeModel.Kind.UNUSED;
            case 6 -> BpeModel.Kind.BYTE;
            default ->
                    throw TokenizerException.invalid(
                            "%s: piece %d has type %d; known are 1 to 6", NAME, id, type);
        };
    }

    private void trainer(Protobuf in) {
        while (in.next()) {
            switch (in.field()) {
                case 3 -> modelType = in.number();
                case 24 -> suffixes = in.flag();
                case 41 -> bos = in.number();
                case 42 -> eos = in.number();
                default -> in.skip();
            }
        }
    }

    private void normalizer(Protobuf in) {
        while (in.next()) {
            switch (in.field()) {
                case 2 -> normalizes |= in.length() > 0;
                case 3 -> addsSpace = in.flag();
                case 4 -> collapsesSpaces = in.flag();
                case 5 -> escapesSpaces = in.flag();
                default -> in.skip();
            }
        }
    }

    private void denormalizer(Protobuf in) {
        while (in.next()) {
            if (in.field() == 2) {
                normalizes |= in.length() > 0;
            } else {
                in.skip();
            }
        }
    }

    private BpeTokenizer build() {
        if (pieces.isEmpty()) {
            throw TokenizerException.invalid(
                    "%s has no pieces; it is damaged or another kind of file", NAME);
        }
        if (modelType == UNIGRAM) {
            throw TokenizerException.noUnigram(NAME);
        }
        require(modelType == BPE, "its model type is " + modelType + ", not 2 (BPE)");
        require(!suffixes, "spaces are put behind words");
        require(!normalizes, "texts are normalised");
        require(!collapsesSpaces, "runs of spaces are collapsed");
        require(escapesSpaces, "spaces are not escaped");
        String[] tokens = pieces.toArray(String[]::new);
        BpeModel.Kind[] kindById = kinds.toArray(BpeModel.Kind[]::new);
        float[] scoreById = Arrays.copyOf(scores, tokens.length);
        ExtraTokens extra = new ExtraTokens(config, tokens, kindById, NAME);
        scoreById = Arrays.copyOf(scoreById, extra.tokens().length);
        BpeModel.Options options = new BpeModel.Options(false, unknown, true);
        PreTokenizer.Prefix prefix =
                addsSpace ? PreTokenizer.Prefix.STRETCH : PreTokenizer.Prefix.NONE;
        return new BpeTokenizer(
                extra.tokens(),
                extra.kinds(),
                BpeModel.scored(
                        Spelling.CHARACTERS, extra.tokens(), extra.kinds(), scoreById, options),
                new BpeTokenizer.Rules(
                                new PreTokenizer.Spaces(prefix, false, false),
                                BpeTokenizer.Added.PART_PIECES,
                                addsSpace)
                        .with(extra.options()),
                extra.ends(control(bos, kindById), control(eos, kindById), true));
    }

    private static OptionalInt control(long id, BpeModel.Kind[] kinds) {
        boolean there = id >= 0 && id < kinds.length && kinds[(int) id] == BpeModel.Kind.CONTROL;
        return there ? OptionalInt.of((int) id) : OptionalInt.empty();
    }

    private static void require(boolean right, String otherwise) {
        if (!right) {
            throw TokenizerException.unsupported(
                    "%s: %s, which is not implemented; implemented is BPE without normalisation. Put the model's"
                            + " tokenizer.json beside it",
                    NAME, otherwise);
        }
    }
}
