/** BPE over bytes and over characters, the streaming detokeniser and chat templates. */
module dev.flagship.tokenizers {
    requires transitive dev.flagship.base;
    requires tools.jackson.core;

    exports dev.flagship.tokenizers;
}
