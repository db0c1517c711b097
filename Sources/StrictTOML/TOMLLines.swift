/// Finds the line on which a key stands. Lines count from 1.
///
/// Used for errors only, on a text that has already been parsed; nil where a key is written in a way that
/// this does not look for (an inline table, a quoted key).
struct TOMLLines {
    private let lines: [String]

    init(_ text: String) {
        lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map { line in
            String(line).filter { $0 != " " && $0 != "\t" && $0 != "\r" }
        }
    }

    func line(of key: String, in table: String) -> Int? {
        var current = ""
        for (index, line) in lines.enumerated() {
            if let name = header(line) {
                current = name
            } else if current == table && line.hasPrefix("\(key)=") {
                return index + 1
            } else if current.isEmpty && line.hasPrefix("\(table).\(key)=") {
                return index + 1
            }
        }
        return nil
    }

    func line(ofTableOrKey name: String) -> Int? {
        lines.firstIndex { header($0) == name || $0.hasPrefix("\(name)=") || $0.hasPrefix("\(name).") }.map {
            $0 + 1
        }
    }

    private func header(_ line: String) -> String? {
        guard line.hasPrefix("["), let end = line.firstIndex(of: "]") else { return nil }
        return String(line[line.index(after: line.startIndex)..<end])
    }
}

/// The candidate with the smallest edit distance (Levenshtein, two rows), the first of equals.
func nearest(to name: String, among candidates: [String]) -> String {
    func distance(_ left: [Character], _ right: [Character]) -> Int {
        var previous = Array(0...right.count)
        for (i, character) in left.enumerated() {
            var current = [i + 1]
            for (j, other) in right.enumerated() {
                current.append(
                    min(previous[j] + (character == other ? 0 : 1), previous[j + 1] + 1, current[j] + 1))
            }
            previous = current
        }
        return previous[right.count]
    }
    return candidates.sorted().min { distance(Array(name), Array($0)) < distance(Array(name), Array($1)) }
        ?? name
}
