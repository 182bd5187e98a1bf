/**
 * Translates OpenAI's API, and vLLM's of tokens, to {@link dev.flagship.serving.api.ChatModel} and
 * wires it to HTTP. Knows nothing about tensors, files and sampling; holds no domain logic.
 *
 * <p>Threads: a request's handler thread is the only one that writes its response; one virtual
 * thread a choice waits for the model, so that the handler can send signs of life meanwhile.
 */
@NullMarked
package dev.flagship.server;

import org.jspecify.annotations.NullMarked;
