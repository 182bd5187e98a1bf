package dev.flagship.tensor;

/**
 * The k best of a stream of numbers, in a heap over the caller's arrays. Better means larger; of
 * equals the lower index; NaN is worst.
 */
public final class TopK {
    private TopK() {}

    /** Whether (a, idA) ranks before (b, idB). */
    static boolean before(float a, int idA, float b, int idB) {
        boolean aNan = Float.isNaN(a);
        boolean bNan = Float.isNaN(b);
        if (aNan || bNan) {
            return aNan == bNan ? idA < idB : bNan;
        }
        return a == b ? idA < idB : a > b;
    }

    /**
     * Offers a candidate to the heap of {@code size} entries out of k; returns the new size. The
     * worst is at the root.
     */
    public static int offer(int[] ids, float[] values, int size, int k, int id, float value) {
        if (size < k) {
            int i = size;
            while (i > 0) {
                int parent = (i - 1) / 2;
                if (!before(values[parent], ids[parent], value, id)) {
                    break;
                }
                ids[i] = ids[parent];
                values[i] = values[parent];
                i = parent;
            }
            ids[i] = id;
            values[i] = value;
            return size + 1;
        }
        if (before(value, id, values[0], ids[0])) {
            siftDown(ids, values, k, id, value);
        }
        return size;
    }

    private static void siftDown(int[] ids, float[] values, int size, int id, float value) {
        int i = 0;
        while (2 * i + 1 < size) {
            int child = 2 * i + 1;
            if (child + 1 < size
                    && before(values[child], ids[child], values[child + 1], ids[child + 1])) {
                child++;
            }
            if (!before(value, id, values[child], ids[child])) {
                break;
            }
            ids[i] = ids[child];
            values[i] = values[child];
            i = child;
        }
        ids[i] = id;
        values[i] = value;
    }

    /** Turns the heap into a list, best first. */
    public static void sort(int[] ids, float[] values, int size) {
        for (int end = size - 1; end > 0; end--) {
            int worstId = ids[0];
            float worst = values[0];
            siftDown(ids, values, end, ids[end], values[end]);
            ids[end] = worstId;
            values[end] = worst;
        }
    }
}
