/// How numbers are rounded inside a network.
package enum Precision: String, Codable, Hashable, Sendable, CaseIterable {
    /// Single precision: the same bits on every run.
    case f32
    /// What the CPU does fastest, bfloat16 where it has it.
    case auto
}
