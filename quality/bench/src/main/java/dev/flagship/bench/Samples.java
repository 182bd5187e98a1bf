package dev.flagship.bench;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Results of the same measurement, repeated. */
final class Samples {
    private final List<Double> values = new ArrayList<>();

    void add(double value) {
        values.add(value);
    }

    boolean isEmpty() {
        return values.isEmpty();
    }

    int size() {
        return values.size();
    }

    /** The middle one; of an even number the mean of the middle two. There must be one at least. */
    double median() {
        List<Double> sorted = values.stream().sorted().toList();
        int middle = sorted.size() / 2;
        return sorted.size() % 2 == 1
                ? sorted.get(middle)
                : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
    }

    double min() {
        return Collections.min(values);
    }

    double max() {
        return Collections.max(values);
    }

    List<Double> values() {
        return List.copyOf(values);
    }
}
