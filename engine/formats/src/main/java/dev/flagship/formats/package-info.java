/**
 * Model files: untrusted bytes in, a map of tensors out. Knows nothing about models, tokenizers,
 * kernels or the network; names, row order and encodings stay as they are on disk.
 *
 * <p><b>Trust.</b> A file is hostile until shown otherwise. Every count is compared with the bytes
 * left before anything is allocated for it, products are exact, text is strict UTF-8, names and
 * keys are unique, tensors lie inside the file and do not overlap, but for PyTorch's, which may
 * share what they show. Whatever a file holds, the outcome is a {@link
 * dev.flagship.formats.ModelFile} or a {@link dev.flagship.formats.FormatException}; an {@link
 * java.io.IOException} comes from the disk only. A file must not be changed while it is open: it is
 * mapped, and one that is cut short under a reader ends in an {@link java.lang.InternalError}.
 *
 * <p><b>Ownership.</b> A {@code ModelFile} owns its mappings; segments it gave die with {@code
 * close()}. Reading is safe from any thread.
 *
 * <h2>GGUF, versions 2 and 3</h2>
 *
 * <p>Source: ggml, docs/gguf.md. Little-endian; version 3 differs only by also allowing big-endian
 * files, which are refused. {@code string} is a u64 byte count and that much UTF-8.
 *
 * <pre>
 *   u8[4]  "GGUF"
 *   u32    version
 *   u64    tensor count
 *   u64    metadata count
 *   metadata count ×:
 *     string key                      unique, 1 to 65,535 bytes
 *     u32    type                     0 u8, 1 i8, 2 u16, 3 i16, 4 u32, 5 i32, 6 f32, 7 bool,
 *                                     8 string, 9 array, 10 u64, 11 i64, 12 f64
 *     value                           array: u32 element type, u64 count, elements
 *   tensor count ×:
 *     string name                     unique
 *     u32    dimension count          1 to 4
 *     u64[]  dimensions               innermost first: reversed against Hugging Face's order
 *     u32    ggml type                0 F32, 1 F16, 2 Q4_0, 3 Q4_1, 6 Q5_0, 7 Q5_1, 8 Q8_0, 10 Q2_K,
 *                                     11 Q3_K, 12 Q4_K, 13 Q5_K, 14 Q6_K, 16 IQ2_XXS,
 *                                     17 IQ2_XS, 18 IQ3_XXS, 19 IQ1_S, 20 IQ4_NL, 21 IQ3_S,
 *                                     22 IQ2_S, 23 IQ4_XS, 29 IQ1_M, 30 BF16, 39 MXFP4; others
 *                                     are refused
 *     u64    offset                   from the data section, a multiple of the alignment
 *   padding to a multiple of general.alignment (default 32, a power of two)
 *   data section
 * </pre>
 *
 * <p>Own limits: header 256 MiB, 65,536 metadata pairs whose keys take 4 MiB together, 65,536
 * tensors, arrays 4,194,304 elements and 4 deep, tensor names 1,024 bytes.
 *
 * <p>A model may be split (llama.cpp, tools/gguf-split): {@code NAME-00001-of-00003.gguf} and so
 * on, each a GGUF file with {@code split.no} (from 0), {@code split.count} and {@code
 * split.tensors.count} (of all parts) in its metadata. The first has all other metadata. Any part
 * names the whole.
 *
 * <h2>safetensors</h2>
 *
 * <p>Source: github.com/huggingface/safetensors, README "Format".
 *
 * <pre>
 *   u64    header bytes N, little-endian, at most 100,000,000
 *   u8[N]  JSON, first byte '{', may end in white space:
 *          {"__metadata__": {string: string},
 *           name: {"dtype": "F32", "shape": [out, in], "data_offsets": [begin, end]}, …}
 *   data   little-endian, row-major; offsets count from here; no overlap, no hole, no rest
 * </pre>
 *
 * <p>A folder has {@code model.safetensors}, or {@code model.safetensors.index.json}: {@code
 * {"weight_map": {tensor name: file name}}}, whose files lie beside it. Symbolic links are
 * followed, because Hugging Face's cache is made of them; names with a separator are refused. Own
 * limits: 65,536 tensors in all shards, 524,288 names and unread values in a header or index, 8
 * dimensions, index 100,000,000 bytes.
 *
 * <p>Any shard named {@code model-00001-of-00002.safetensors}, the index and {@code config.json}
 * name the whole. So does a model's folder in Hugging Face's cache (huggingface_hub, "Understand
 * caching"): of {@code snapshots/REVISION}, the one that {@code refs/main} names, or the only one.
 *
 * <h2>PyTorch</h2>
 *
 * <p>Source: torch/serialization.py, torch/_utils.py and caffe2/serialize/inline_container.cc;
 * PKWARE's APPNOTE.TXT 6.3.10 for zip and Zip64; Python's pickletools.py for pickles. A file is a
 * dictionary of names that one pickle of protocol 2 describes, over storages that hold the elements
 * as they are. A pickle is a program. The one here is read by a machine that knows the 31 opcodes
 * that {@code torch.save} writes, and of Python's objects these: dictionaries, lists, tuples, text,
 * numbers, flags, None; {@code collections.OrderedDict()}, empty; {@code torch.Size}; {@code
 * torch._utils._rebuild_tensor_v2} and {@code _rebuild_parameter}, without hooks; storages of ten
 * element types. All else is refused with its name and offset. No class is loaded, and nothing of
 * the file runs.
 *
 * <pre>
 *   tensor: storage, offset, sizes, strides, all in elements; at most 8 dimensions; every element
 *           at a place of its own inside the storage; several tensors may share a storage, but all
 *           together show at most 4 times the file's bytes
 *
 *   archive (PyTorch 1.6 and later): a zip file, every member stored, sizes in the directory
 *     ROOT/data.pkl        the pickle, at most 100,000,000 bytes, its CRC-32 checked
 *     ROOT/byteorder       "little", if there
 *     ROOT/data/KEY        each storage
 *     others               are not read; ROOT/constants.pkl is refused: TorchScript
 *
 *   stream (before):
 *     pickle 0x1950a86a20f9469cfc6c, pickle 1001, pickle of {"little_endian": True, …},
 *     pickle of the dictionary, pickle of the list of keys,
 *     for each key: u64 elements, the elements; nothing after the last
 * </pre>
 *
 * <p>A folder has {@code pytorch_model.bin}, or {@code pytorch_model.bin.index.json} as above, or
 * Meta's {@code consolidated.00.pth}, {@code consolidated.01.pth} and so on: model-parallel parts,
 * each with the same names; how they are joined is a matter of the model. Own limits: 131,072
 * members in a zip file, 64 open marks, 65,536 values on the stack.
 */
@NullMarked
package dev.flagship.formats;

import org.jspecify.annotations.NullMarked;
