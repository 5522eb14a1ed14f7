"""Make the recordings in this folder: spoken digits by speech synthesis, and one file of each of some formats.

Needs the program espeak-ng (Debian package espeak-ng) and audiotconv's own dependencies. Running it again gives the
same files, as far as the version of espeak-ng is the same.
"""

import io
import subprocess
from pathlib import Path

import numpy as np
import soundfile
import soxr

HERE = Path(__file__).parent
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
VOICES = {
    "anna": ("en-us+f2", 150, 60),
    "ben": ("en-us+m3", 140, 40),
    "carol": ("en-gb+f4", 165, 70),
    "dan": ("en-gb+m7", 155, 30),
}


def speak(words: str, voice: str, speed: int, pitch: int, rate: int) -> np.ndarray:
    """Speech at the given sample rate, with the silence at both ends cut to 50 ms."""
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", words]
    wav = subprocess.run(command, check=True, capture_output=True).stdout
    samples, spoken_rate = soundfile.read(io.BytesIO(wav))
    loud = np.flatnonzero(np.abs(samples) > 0.002)
    margin = spoken_rate // 20
    samples = samples[max(0, loud[0] - margin) : loud[-1] + margin]
    return 0.7 * soxr.resample(samples, spoken_rate, rate)


def main() -> None:
    """Write every file."""
    for digit in DIGITS:
        folder = HERE / "digits" / digit
        folder.mkdir(parents=True, exist_ok=True)
        for name, (voice, speed, pitch) in VOICES.items():
            soundfile.write(folder / f"{name}.wav", speak(digit, voice, speed, pitch, 16000), 16000, "PCM_16")

    formats = HERE / "formats"
    formats.mkdir(exist_ok=True)
    sentence = "one two three"
    speech = speak(sentence, *VOICES["anna"], 16000)
    soundfile.write(formats / "24-bit.wav", speech, 16000, "PCM_24")
    soundfile.write(formats / "float.wav", speech, 16000, "FLOAT")
    soundfile.write(formats / "telephone-8-khz.wav", speak(sentence, *VOICES["ben"], 8000), 8000, "PCM_16")
    # A voice that passes by eight microphones in a row, 4 cm apart, from the left to the right.
    rng = np.random.default_rng(0)
    speech = speak("four five", *VOICES["carol"], 16000)
    delays = np.linspace(-1, 1, 8)[:, None] * np.linspace(-6, 6, len(speech))[None]
    array = [np.interp(np.arange(len(speech)) - delay, np.arange(len(speech)), speech) for delay in delays]
    noise = 1e-3 * rng.standard_normal((8, len(speech)))
    soundfile.write(formats / "8-channels.wav", (np.array(array) + noise).T, 16000, "PCM_16")


if __name__ == "__main__":
    main()
