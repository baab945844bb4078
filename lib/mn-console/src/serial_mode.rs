//! How a serial line is driven: rate, parity, bits and flow control, as `115200n8,rtscts` says it.

use std::fmt;
use std::str::FromStr;

/// A parity bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parity {
    /// `n`
    None,
    /// `e`
    Even,
    /// `o`
    Odd,
}

/// Who may stop whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Nobody.
    None,
    /// The wires RTS and CTS.
    RtsCts,
    /// The characters XON and XOFF.
    XonXoff,
}

/// How a serial line is driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SerialMode {
    /// Baud.
    pub rate: u32,
    /// Bits of a character, 5 to 8.
    pub bits: u8,
    /// The parity bit.
    pub parity: Parity,
    /// Stop bits, 1 or 2.
    pub stop: u8,
    /// Flow control.
    pub flow: Flow,
}

impl Default for SerialMode {
    fn default() -> SerialMode {
        SerialMode { rate: 115_200, bits: 8, parity: Parity::None, stop: 1, flow: Flow::None }
    }
}

impl FromStr for SerialMode {
    type Err = String;

    /// Reads `BAUD[PARITY[BITS[STOP]]][,FLOW]`; what is not said is 8 bits, no parity, one stop bit, no flow control.
    fn from_str(text: &str) -> Result<SerialMode, String> {
        let (line, flow) = text.split_once(',').unwrap_or((text, "none"));
        let end = line.find(|c: char| !c.is_ascii_digit()).unwrap_or(line.len());
        let (rate, frame) = line.split_at(end);
        let rate = rate.parse().ok().filter(|&rate: &u32| rate > 0);
        let rate = rate.ok_or_else(|| format!("'{line}' is no rate like '115200' or '115200n8'"))?;
        let mut mode = SerialMode { rate, flow: flow_control(flow)?, ..SerialMode::default() };
        let wrong =
            || format!("'{frame}' is no frame like 'n8', 'e7' or 'n82': parity n, e or o, bits 5 to 8, stop bits");
        let mut parts = frame.chars();
        if let Some(parity) = parts.next() {
            mode.parity = match parity {
                'n' => Parity::None,
                'e' => Parity::Even,
                'o' => Parity::Odd,
                _ => return Err(wrong()),
            };
        }
        let mut digit = |allowed: std::ops::RangeInclusive<u32>, missing: u8| match parts.next() {
            None => Ok(missing),
            Some(c) => {
                c.to_digit(10).filter(|n| allowed.contains(n)).and_then(|n| u8::try_from(n).ok()).ok_or_else(wrong)
            }
        };
        (mode.bits, mode.stop) = (digit(5..=8, 8)?, digit(1..=2, 1)?);
        if parts.next().is_some() { Err(wrong()) } else { Ok(mode) }
    }
}

fn flow_control(text: &str) -> Result<Flow, String> {
    match text {
        "none" => Ok(Flow::None),
        "rtscts" => Ok(Flow::RtsCts),
        "xonxoff" => Ok(Flow::XonXoff),
        _ => Err(format!("flow control '{text}' is not known: 'rtscts', 'xonxoff' or 'none'")),
    }
}

impl fmt::Display for SerialMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parity = match self.parity {
            Parity::None => 'n',
            Parity::Even => 'e',
            Parity::Odd => 'o',
        };
        write!(f, "{}{parity}{}", self.rate, self.bits)?;
        if self.stop != 1 {
            write!(f, "{}", self.stop)?;
        }
        match self.flow {
            Flow::None => Ok(()),
            Flow::RtsCts => f.write_str(",rtscts"),
            Flow::XonXoff => f.write_str(",xonxoff"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_as_usual() {
        assert_eq!("115200".parse(), Ok(SerialMode::default()));
        assert_eq!("9600n8".parse(), Ok(SerialMode { rate: 9600, ..SerialMode::default() }));
        let mode = SerialMode { rate: 1_500_000, bits: 7, parity: Parity::Even, stop: 2, flow: Flow::RtsCts };
        assert_eq!("1500000e72,rtscts".parse(), Ok(mode));
        assert_eq!("1200o5,xonxoff".parse::<SerialMode>().unwrap().to_string(), "1200o5,xonxoff");
        assert_eq!(mode.to_string(), "1500000e72,rtscts");
    }

    #[test]
    fn what_is_no_mode_is_told_with_an_example() {
        let why = |text: &str| text.parse::<SerialMode>().unwrap_err();
        for text in ["", "n8", "0", "4294967296", "x"] {
            assert!(why(text).ends_with("is no rate like '115200' or '115200n8'"), "{text}");
        }
        for text in ["9600x", "9600n4", "9600n9", "9600n83", "9600n810", "9600 8"] {
            assert!(why(text).contains("is no frame like 'n8'"), "{text}");
        }
        assert_eq!(why("9600n8,dtr"), "flow control 'dtr' is not known: 'rtscts', 'xonxoff' or 'none'");
    }
}
