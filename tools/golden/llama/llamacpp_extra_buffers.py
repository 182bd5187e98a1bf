"""Import this before a llama_cpp.Llama is made: it switches llama.cpp's extra buffer types off.

They hold its AMX code, which dies in a build by GCC 12.2: the compiled ldtilecfg reads a half-written tile
configuration, hence a general protection fault. The extra types change where weights lie, not what they are;
activations are rounded to Q8 either way. The Llama class has no argument for this and takes the library's defaults.
"""

from llama_cpp import llama_cpp

_defaults = llama_cpp.llama_model_default_params


def _params():
    result = _defaults()
    result.use_extra_bufts = False
    return result


llama_cpp.llama_model_default_params = _params
