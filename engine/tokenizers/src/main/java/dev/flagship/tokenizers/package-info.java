/**
 * Text to token ids and back, and the chat templates that lay out a conversation. Knows nothing
 * about model files, tensors, sampling or HTTP: vocabularies arrive as plain arrays or as the JSON
 * of a {@code tokenizer.json}.
 *
 * <p>Invariants. A control token comes only from text that the operator's template wrote, never
 * from a message ({@link dev.flagship.tokenizers.RenderedPrompt}). Work is linear in the text but
 * for the merges' logarithm; no backtracking expressions. Untrusted vocabularies and templates end
 * in {@link dev.flagship.tokenizers.TokenizerException} or {@link
 * dev.flagship.tokenizers.TemplateException} and nothing else.
 *
 * <p>Threads. Tokenizers, templates and values are immutable and may be shared; a {@link
 * dev.flagship.tokenizers.StreamingDecoder} belongs to one answer.
 */
@NullMarked
package dev.flagship.tokenizers;

import org.jspecify.annotations.NullMarked;
