import Products

/// Why there is no thread.
package enum ThreadError: ExplainedError {
    case cannotStart(name: String, errno: Int32)

    package var explanation: Explanation {
        switch self {
        case .cannotStart(let name, let number):
            Explanation(
                "the thread '\(name)' cannot be started: \(errnoText(number))",
                remedy: "Raise the limits of threads and memory (systemd: TasksMax, MemoryMax).",
                .system)
        }
    }
}
