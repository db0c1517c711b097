/// An error that stops what was asked for, in words for a person and in a number for scripts.
///
/// What is wrong with one photo or one product stops nothing and is none of these: the report says it.
package protocol ExplainedError: Error, CustomStringConvertible {
    var explanation: Explanation { get }
}

/// What an error says: what is wrong and where, why, what to do, and the exit code.
package struct Explanation: Hashable, Sendable {
    /// What is wrong, with what, and why; without a full stop.
    package let sentence: String
    /// What to do, in whole sentences with their full stops; nil where nothing is known to help.
    package let remedy: String?
    package let systemExit: SystemExit

    package init(_ sentence: String, remedy: String? = nil, _ systemExit: SystemExit) {
        (self.sentence, self.remedy, self.systemExit) = (sentence, remedy, systemExit)
    }

    /// The sentence and the remedy as one line. Without a remedy it has no full stop, so that it can stand in another sentence.
    package var text: String { remedy.map { "\(sentence). \($0)" } ?? sentence }
}

extension ExplainedError {
    package var description: String { explanation.text }
    package var systemExit: SystemExit { explanation.systemExit }
}

/// An error that nobody foresaw: a fault of the program.
package struct UnforeseenError: ExplainedError {
    package let cause: any Error

    package var explanation: Explanation {
        Explanation(
            "an error that should not have been possible: \(cause)",
            remedy: "Please report it, with this message and what you did.", .software)
    }
}

extension Error {
    /// The error with what it says; one that nobody foresaw is a fault of the program.
    package var explained: any ExplainedError { self as? any ExplainedError ?? UnforeseenError(cause: self) }
}
