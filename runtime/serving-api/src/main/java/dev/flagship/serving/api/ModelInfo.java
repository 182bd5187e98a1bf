package dev.flagship.serving.api;

import java.time.Instant;

/**
 * Facts about a loaded model.
 *
 * @param id the name it is served under
 * @param family model family, for example {@code llama}
 * @param parameters number of weights, tied weights counted once
 * @param contextLength tokens that one conversation may hold here
 * @param vocabularySize number of token ids
 * @param numerics {@code exact} or {@code fast}
 * @param rung name of the kernels in use, for example {@code vector-512}
 * @param weightBytes size of the packed weights in memory
 * @param kvCache type of keys and values: {@code f16}, {@code q8_0} or {@code f32}
 * @param kvBytesPerToken cost of one token of context in the KV pool
 * @param kvPoolBytes size of the KV pool
 * @param sampling what its makers recommend, or {@link Sampling#usual}, for requests that do not
 *     say; its seed means nothing
 * @param loaded when it became ready
 */
public record ModelInfo(
        String id,
        String family,
        long parameters,
        int contextLength,
        int vocabularySize,
        String numerics,
        String rung,
        long weightBytes,
        String kvCache,
        long kvBytesPerToken,
        long kvPoolBytes,
        Sampling sampling,
        Instant loaded) {}
