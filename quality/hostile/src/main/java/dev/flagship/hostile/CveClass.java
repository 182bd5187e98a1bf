package dev.flagship.hostile;

/**
 * Ways in which files have hurt programs that read models: the classes of published vulnerabilities
 * that concern files, each with ids that its cases replay.
 */
public enum CveClass {
    /**
     * Length, count and dimension arithmetic: CVE-2024-21802, -21825, -21836, -23496, -23605,
     * -25664 to -25668, -32878; CVE-2025-53630; CVE-2026-27940, -33298, -42627.
     */
    ARITHMETIC,
    /** A tensor that is larger than its file: CVE-2024-12055, -39720; CVE-2026-7482. */
    BEYOND_FILE,
    /**
     * Allocation, inflation and recursion out of proportion: CVE-2022-42004; CVE-2023-1370;
     * CVE-2024-12886, -25710, -26308; CVE-2025-0315, -52999, -66960.
     */
    EXPANSION,
    /**
     * Division by zero, null, index, blocking read: CVE-2024-8063, -39721, -41130; CVE-2025-0312,
     * -0317, -1975.
     */
    FAULT,
    /** Tokenizers: CVE-2025-46560 (time), -49847, -52566 (lengths). */
    TOKENIZER,
    /**
     * Templates that reach into the program or run without end: CVE-2020-12668; CVE-2024-34359;
     * CVE-2025-59340, -61620, -62426; CVE-2026-5760, -25526.
     */
    TEMPLATE,
    /**
     * Files that name code to run: CVE-2022-1471; CVE-2024-3568, -3660, -11041, -50050;
     * CVE-2025-1550, -24357, -29783, -30165, -32434, -32444, -47277, -62164, -66448;
     * CVE-2026-22807, -56340.
     */
    CODE,
    /**
     * Names that leave their folder, archives that show two faces: CVE-2022-25882; CVE-2023-1177;
     * CVE-2024-5187, -7773, -7776, -27318, -37032, -45436; CVE-2025-0851, -44779, -51480;
     * CVE-2026-7020, -27489, -34445.
     */
    PATH,
    /** Broken or contradictory, without a class of its own. */
    MALFORMED
}
