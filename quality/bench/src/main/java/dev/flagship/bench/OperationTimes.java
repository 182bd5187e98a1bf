package dev.flagship.bench;

import dev.flagship.tensor.BandMatrix;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * How long each operation of a forward pass took. Layers' operations of one name are one entry.
 * Once each was seen, nothing is allocated. One thread.
 */
final class OperationTimes {
    /** What is no product, by what it is for. */
    enum Small {
        EMBEDDING("embedding"),
        NORM("norms"),
        ROTATION("rotation of queries and keys"),
        APPEND("keys and values stored"),
        ATTENTION("attention"),
        ACTIVATION("activation"),
        SUM("sums with the residual"),
        SOFTMAX("softmax"),
        ROWS("rows whose logits are wanted"),
        CHOICE("choice among logits");

        private final String title;

        Small(String title) {
            this.title = title;
        }

        /** For people. */
        String title() {
            return title;
        }
    }

    /** One operation's sum. */
    static final class Entry {
        private final String name;
        private final boolean product;
        private long nanos;
        private long calls;
        private long operations;
        private long weightBytes;

        private Entry(String name, boolean product) {
            this.name = name;
            this.product = product;
        }

        /** The tensors' names for products, else what it is for. */
        String name() {
            return name;
        }

        boolean product() {
            return product;
        }

        long nanos() {
            return nanos;
        }

        long calls() {
            return calls;
        }

        /** Multiplications and additions of products. */
        long operations() {
            return operations;
        }

        /** Packed bytes of products' weights, however many rows met them. */
        long weightBytes() {
            return weightBytes;
        }

        private void clear() {
            nanos = 0;
            calls = 0;
            operations = 0;
            weightBytes = 0;
        }
    }

    private final List<Entry> entries = new ArrayList<>();
    private final Map<Small, Entry> small = new EnumMap<>(Small.class);

    /** By the first of a product's weights. */
    private final IdentityHashMap<BandMatrix, Entry> products = new IdentityHashMap<>();

    void reset() {
        entries.forEach(Entry::clear);
    }

    void add(Small kind, long nanos) {
        Entry entry = small.get(kind);
        if (entry == null) {
            entry = named(kind.title, false);
            small.put(kind, entry);
        }
        entry.nanos += nanos;
        entry.calls++;
    }

    void add(List<BandMatrix> weights, long nanos, long operations, long weightBytes) {
        Entry entry = products.get(weights.getFirst());
        if (entry == null) {
            entry = named(name(weights), true);
            products.put(weights.getFirst(), entry);
        }
        entry.nanos += nanos;
        entry.calls++;
        entry.operations += operations;
        entry.weightBytes += weightBytes;
    }

    private Entry named(String name, boolean product) {
        for (Entry entry : entries) {
            if (entry.name.equals(name) && entry.product == product) {
                return entry;
            }
        }
        Entry entry = new Entry(name, product);
        entries.add(entry);
        return entry;
    }

    /** {@code q_proj, k_proj, v_proj} for the three of any layer. */
    static String name(List<BandMatrix> weights) {
        var names = new ArrayList<String>();
        for (BandMatrix w : weights) {
            String name = w.name().replaceFirst("\\.weight$", "");
            names.add(name.substring(name.lastIndexOf('.') + 1));
        }
        return String.join(", ", names);
    }

    /** Those that took part since the last reset, in the order in which each was first seen. */
    List<Entry> entries() {
        return entries.stream().filter(e -> e.calls > 0).toList();
    }
}
