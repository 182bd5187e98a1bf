/**
 * Text to token ids and back, and the chat templates that lay out a conversation. Knows nothing
 * about weights, tensors, sampling or HTTP: vocabularies arrive as plain arrays, which a reader of
 * GGUF has, or in tokenizer files.
 *
 * <p>Vocabularies are byte-level BPE (GPT-2, Llama 3, and the published expressions of their
 * look-alikes) or SentencePiece's BPE over characters (LLaMA 1 and 2). The truth is the reference
 * of each container: llama.cpp for GGUF's scores, sentencepiece and tiktoken for {@code
 * tokenizer.model}, Hugging Face's tokenizers for everything else.
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
