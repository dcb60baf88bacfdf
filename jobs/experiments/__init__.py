"""What the experiments do: data, trainings, judging, reports."""
