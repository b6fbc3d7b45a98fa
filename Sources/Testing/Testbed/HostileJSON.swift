// SPDX-License-Identifier: Apache-2.0

/// Texts of 10 KiB that are expensive, or impossible, to decode.
package enum HostileJSON {
    /// The maximum depth of Foundation, and as many leaves as possible: a decoder that guesses the type of each leaf takes 22 s.
    package static let leavesAtTheBottom =
        String(repeating: #"{"a":"#, count: 500) + "[" + String(repeating: "1,", count: 3350) + "1]" + String(repeating: "}", count: 500)
    package static let lists = String(repeating: "[", count: 5000) + String(repeating: "]", count: 5000)
    package static let all = [
        leavesAtTheBottom, lists, "1e999", "-1e-999999", #""\ud800""#, #"{"\udc00":["\ud800\ud800"]}"#,
        "[" + String(repeating: "9", count: 9000) + "]", #"{"a":1,"a":{"a":[]}}"#, "null", #""\"}]""#,
    ]
}
