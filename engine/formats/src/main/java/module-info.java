/** GGUF, safetensors and PyTorch files: untrusted bytes in, tensors out. */
module dev.flagship.formats {
    requires transitive dev.flagship.tensor;
    requires tools.jackson.core;

    exports dev.flagship.formats;
}
