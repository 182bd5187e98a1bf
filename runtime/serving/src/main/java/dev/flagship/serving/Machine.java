package dev.flagship.serving;

/** What a model needs of a machine besides a processor. */
record Machine(Memory memory, FreeSpace disk) {
    static final Machine THIS = new Machine(Memory.OF_THIS_MACHINE, FreeSpace.OF_THIS_MACHINE);
}
